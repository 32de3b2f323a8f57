"""The MCP client. It imports the SDK, which takes a second, so it is imported when needed."""
