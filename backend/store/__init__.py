"""Conversations in a database: tables, queries, migrations."""
