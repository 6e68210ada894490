"""Memory of a server by its workers, rows and model: what a pod or a container has to be given.

    python -m benchmarks.memory BUNDLE PAIRS.tsv [--workers 1 2 4] [--rows 64]

Each line is a server of its own: memory when it is ready, and its peak while more is asked of it
than it can do at a time. Sources are the first column; each request has 64 of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ferryman import Client, FerrymanError

_TEXTS: Final = 64
"""In a request; a beam of four needs four rows for each."""
_READY_SECONDS: Final = 120.0


def main() -> None:
    """Print a line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--variant", default="")
    options = parser.parse_args()
    lines = options.pairs.read_text("utf-8").splitlines()
    texts = [line.partition("\t")[0] for line in lines]
    flags = ["--max-rows", str(options.rows)]
    flags += ["--variant", options.variant] if options.variant else []
    _tell("| workers | rows | ready, MiB | peak under load, MiB |")
    _tell("|---:|---:|---:|---:|")
    for workers in options.workers:
        with _server(options.bundle, "--workers", str(workers), *flags) as (process, address):
            ready = _mebibytes(process, "VmRSS")
            _load(address, texts, callers=4 * workers, seconds=options.seconds)
            peak = _mebibytes(process, "VmHWM")
        _tell(f"| {workers} | {options.rows} | {ready:.0f} | {peak:.0f} |")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _server(bundle: str, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server while open.

    Yields:
        Its process, and its address.

    Raises:
        TimeoutError: It did not get ready.
    """
    command = [sys.executable, "-m", "ferryman", "serve", bundle, "--address", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--metrics-address", "none", *flags], stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(_READY_SECONDS, process.kill)
        watchdog.start()
        try:
            yield process, _address(process)
        finally:
            watchdog.cancel()
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"listens on +(\S+)", line):
            # What comes later is read as well, or the server would wait for its reader.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[1]
    raise TimeoutError(f"the server did not get ready:\n{''.join(said)}")


def _load(address: str, texts: Sequence[str], *, callers: int, seconds: float) -> None:
    """Keep the server busy from several threads."""
    end = time.monotonic() + seconds

    def call(caller: int) -> None:
        turn = caller
        with Client(address) as client:
            while time.monotonic() < end:
                begin = turn * _TEXTS % max(1, len(texts) - _TEXTS)
                turn += callers
                try:
                    client.translate(texts[begin : begin + _TEXTS], timeout=60)
                except FerrymanError as error:
                    _tell(f"caller {caller}: {error}")

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _mebibytes(process: subprocess.Popen[str], name: str) -> float:
    """Return what the kernel says of a process: ``VmRSS`` or ``VmHWM``, the highest it was."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, flags=re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
