"""What can be wrong with a bundle."""

from __future__ import annotations


class BundleError(ValueError):
    """A bundle that must not be used: one line that names the file and what to do about it."""
