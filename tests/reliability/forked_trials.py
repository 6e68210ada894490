"""Trials without the start of a process for each: one process imports everything, then forks.

What is forked is the trial itself, `ferryman_server.runtime.trial.main`, with the limits that it
sets for itself, so a case that dies is told from the others. `python forked_trials.py` reads orders
from stdin, one a line, and answers each with the end and the output of its process.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ferryman_server.runtime.trial import TrialOrder


class ForkedTrials:
    """The process that forks; use it in a ``with`` block."""

    def __enter__(self) -> ForkedTrials:
        paths = os.pathsep.join(entry for entry in sys.path if entry)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__))],
            env={**os.environ, **threads, "PYTHONPATH": paths, "ORT_DISABLE_TELEMETRY": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def run(self, order: TrialOrder, *, wall_seconds: float) -> tuple[int, bytes]:
        """Return how the process of one trial ended, and what it printed.

        Args:
            order: What to do.
            wall_seconds: After which it is killed, which counts as having taken too long.
        """
        self._process.stdin.write(json.dumps([order.written(), wall_seconds]) + "\n")
        self._process.stdin.flush()
        code, output = json.loads(self._process.stdout.readline())
        return code, base64.b64decode(output)


def main() -> None:
    from ferryman_server.runtime import trial

    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads must not fork"
    for line in sys.stdin:
        order, wall_seconds = json.loads(line)
        code, output = _forked(lambda order=order: trial.main([order]), wall_seconds)
        sys.stdout.write(json.dumps([code, base64.b64encode(output).decode()]) + "\n")
        sys.stdout.flush()


def _forked(work: Callable[[], None], wall_seconds: float) -> tuple[int, bytes]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(writer, 1)
        os.close(0)
        work()
        os._exit(99)
    os.close(writer)
    output = b""
    end = time.monotonic() + wall_seconds
    while True:
        ready, _, _ = select.select([reader], [], [], max(0, end - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGXCPU)
            break
        part = os.read(reader, 1 << 16)
        if not part:
            break
        output += part
    os.close(reader)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), output


if __name__ == "__main__":
    main()
