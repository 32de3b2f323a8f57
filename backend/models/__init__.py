"""The models that the model server offers."""
