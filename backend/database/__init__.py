"""The database: connection, tables, column types, migrations."""
