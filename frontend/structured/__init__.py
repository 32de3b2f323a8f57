"""The parts of the Structured page."""
