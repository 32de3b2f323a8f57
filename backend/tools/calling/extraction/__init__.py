"""Extraction of arguments from a question by rules, without a model."""
