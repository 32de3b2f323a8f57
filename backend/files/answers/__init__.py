"""Answers from files: quotes without a model, or what a model is given to read."""
