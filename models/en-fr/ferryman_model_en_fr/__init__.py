"""English to French, the default model of ferryman.

The package holds one bundle and no code but the path to it, so a model is installed, pinned and
removed like any other package. A server finds it through the entry-point group
``ferryman.models``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["directory"]


def directory() -> Path:
    """Return the directory of the bundle; whoever loads it verifies its digests."""
    return Path(__file__).parent / "bundle"
