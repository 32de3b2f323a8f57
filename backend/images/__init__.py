"""Images in messages: checked, cleaned and scaled before they are sent, stored by their hash."""
