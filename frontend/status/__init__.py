"""Parts of the Status page."""
