"""Whole files: how they are read, translated in chunks that survive a kill, and written."""
