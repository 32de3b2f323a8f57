"""Parts of the Tools page."""
