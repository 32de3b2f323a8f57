"""What can go wrong between the API and an MCP server."""


class McpError(Exception):
    """An MCP server cannot be used; the message says why, without secrets."""


class SessionLostError(McpError):
    """The connection ended during a call, which may have been carried out."""


class SessionExpiredError(McpError):
    """The server no longer knows the session, and has not carried out the call."""
