"""`make run`: starts the model, the API and the page together, and stops them together."""
