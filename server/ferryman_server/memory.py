"""Memory that is free, given back to the operating system."""

from __future__ import annotations

import ctypes
import gc


def give_memory_back() -> None:
    """Collect what only refers to itself, and let the allocator return the pages that are free.

    Without it a process keeps the memory of a model that was unloaded for as long as it lives.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library than glibc
        return
    trim(0)
