"""What can go wrong with an export."""

from __future__ import annotations


class ExportError(Exception):
    """A model cannot be exported, or must not be; the message says why and what to do."""
