"""Systems in processes of their own, of which one works at a time.

Needs nothing but Python, so that a system's own environment can run its side of it: `take_turns` is
the system's side, `Contender` that of the benchmark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any


@dataclass(frozen=True)
class Turn:
    """What one system did when it was its turn."""

    amount: int
    """Of whatever it works on; here target tokens, ends included and padding not."""
    wall: float
    """Seconds by the clock on the wall."""
    cpu: float
    """Seconds of its process on any core, all threads together."""


class LostContenderError(RuntimeError):
    """A system ended before it was told to; what it wrote on stderr says why."""


def take_turns(prepare: Callable[[], tuple[int, Callable[[int], int]]]) -> None:
    """Work whenever a line with a number arrives on stdin, until there are no more lines.

    Args:
        prepare: Gets the system ready, and returns its number of parameters and the function that
            does so many pieces of work and returns the amount. What it prints goes to stderr.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    parameters, work = prepare()
    answers.write(f"{parameters}\n")
    answers.flush()
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        amount = work(int(line))
        turn = (amount, time.perf_counter() - wall, time.process_time() - cpu)
        answers.write(f"{json.dumps(turn)}\n")
        answers.flush()


class Contender:
    """A system that waits for its turn.

    Args:
        command: Starts its process.
        environment: Of the process.
        log: Where its stderr goes.

    Raises:
        LostContenderError: It did not get ready.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> None:
        self._log = log
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=dict(environment),
        )
        self.parameters = int(self._answer())

    def turn(self, pieces: int) -> Turn:
        """Let it work, and wait for it.

        Raises:
            LostContenderError: It ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pieces}\n")
        self._process.stdin.flush()
        return Turn(*self._answer())

    def __enter__(self) -> Contender:
        """It is ready."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise LostContenderError(f"ended with {code}; see {self._log.name}")
        return json.loads(line)
