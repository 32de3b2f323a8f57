"""Tools that a model may call: on every model, run by the API or by its client."""
