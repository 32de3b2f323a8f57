"""Imports: a process reads the file, and its conversations appear all at once."""
