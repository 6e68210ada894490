"""The client's verbs of the `ferryman` command."""
