"""Pruning: leave out of a schema what a short answer does not need."""
