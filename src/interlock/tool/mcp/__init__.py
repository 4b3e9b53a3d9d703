"""Tools of other MCP servers: processes that are started here, and hosts over HTTP."""
