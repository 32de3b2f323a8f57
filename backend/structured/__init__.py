"""Answers that fit a JSON Schema."""
