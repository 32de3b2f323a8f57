"""The stats of an answer, and its token probabilities."""
