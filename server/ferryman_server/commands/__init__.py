"""The verbs of the command `ferryman` that need the server."""
