"""Doubts of a translation about itself, and an estimate of its quality.

`signals` looks for what mistakes of models look like, `quality` makes one figure of what the search
says. Neither knows a reference, so both can be wrong.
"""
