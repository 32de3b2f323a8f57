"""What `make run` runs: starts the model, the API and the page together, and ends them together."""
