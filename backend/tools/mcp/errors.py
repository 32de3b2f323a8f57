"""Errors of connections to MCP servers."""


class McpError(Exception):
    """An MCP server cannot be used; the message says why, without secrets."""


class SessionLostError(McpError):
    """The connection was lost during a call, which may have run."""


class SessionExpiredError(McpError):
    """The server no longer knows the session, and did not run the call."""
