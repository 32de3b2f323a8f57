"""Arguments that a question states itself, found without a model."""
