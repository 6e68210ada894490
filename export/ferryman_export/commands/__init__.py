"""Verbs of the `ferryman` command."""
