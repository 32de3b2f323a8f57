"""Parts of the Structured page."""
