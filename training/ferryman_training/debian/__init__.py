"""A parallel corpus from what Debian ships: documentation and programs, with their translations."""
