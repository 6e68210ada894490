"""Terms whose translation is given: where a text has them, and whether a translation does."""
