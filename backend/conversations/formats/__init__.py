"""The chat formats of other programs, each converted to an `ImportedChat`."""
