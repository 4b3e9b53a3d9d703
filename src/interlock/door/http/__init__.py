"""The door over HTTP: one port for the API, for MCP, and for whoever asks whether this process is well."""
