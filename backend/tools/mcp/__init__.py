"""MCP: tools of the servers that a person has configured."""
