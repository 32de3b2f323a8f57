"""Named sets of sampling parameters."""
