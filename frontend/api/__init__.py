"""The client of the SmolChat API, and the shapes it returns."""
