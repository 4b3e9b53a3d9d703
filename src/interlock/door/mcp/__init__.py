"""The door for agents that speak the Model Context Protocol, in both of its eras, over stdio and streamable HTTP."""
