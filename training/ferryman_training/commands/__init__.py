"""The verbs of the `ferryman` command that this package brings."""
