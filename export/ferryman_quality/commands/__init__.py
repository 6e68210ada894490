"""The verbs of the command `ferryman` that measure."""
