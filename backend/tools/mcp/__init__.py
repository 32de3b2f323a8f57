"""Tools of the configured MCP servers."""
