"""Client of the SmolChat API and the types it returns."""
