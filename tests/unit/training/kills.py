"""SIGKILL at a chosen call to the operating system, in a child process, for tests."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

import pytest

CALLS = ("mkdir", "open", "fsync", "rename", "replace", "symlink", "unlink", "rmdir")
"""Every way in which our code changes what is on the disk, but for writing into a file."""


def killed_at(moment: int, action: Callable[[], object]) -> bool:
    """Run an action in a child that is killed right before its n-th such call, counted from 1.

    Returns:
        False where the action came to its end before that.
    """
    with warnings.catch_warnings():
        # Python 3.12 warns of any fork while there are threads; no thread of ours does anything.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                _kill_at(patch, moment)
                action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def _kill_at(patch: pytest.MonkeyPatch, moment: int) -> None:
    left = moment

    def counted(call):
        def instead(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return instead

    for name in CALLS:
        patch.setattr(os, name, counted(getattr(os, name)))


def count_moments(action: Callable[[], object]) -> int:
    """Run an action here and return how many such calls it makes."""
    made = 0

    def counted(call):
        def instead(*arguments, **options):
            nonlocal made
            made += 1
            return call(*arguments, **options)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, counted(getattr(os, name)))
        action()
    return made
