"""Stored conversations: routes, queries, export and import."""
