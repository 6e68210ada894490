"""Starting the training processes of this machine, and seeing them through to their end.

The processes are those of `worker`. They are described in the environment as `torchrun` describes
them, but started by us: torchrun's agent imports torch once more, and turns every error into a
traceback of its own and an exit status of 1.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ferryman_training.config import TrainingConfig
from ferryman_training.cores import usable_cores
from ferryman_training.errors import ConfigError, CorpusError, ReplicaLostError, TrainingError
from ferryman_training.interruption import PARENT, STOPPED

_GRACE = 10.0
"""Seconds that the other processes have to end by themselves when one has failed."""
_POLL = 0.1
"""Seconds between looks at the processes."""

ALLOCATOR = {
    # glibc gives memory of large tensors back to the system after every use and asks for it
    # again; keeping it makes training on a CPU 1.5 times as fast.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


def started_by_others() -> bool:
    """Return whether `torchrun` or the like has started this process as one of several."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


def require_files(config: TrainingConfig, out: Path) -> None:
    """Find the mistakes that need no process to find.

    Raises:
        CorpusError: A part of the corpus is not there.
        TrainingError: The folder of the run is a file.
    """
    for name, parts in (("train", config.corpus.train), ("valid", (config.corpus.valid,))):
        for path in (path for part in parts for path in part.files):
            if not path.is_file():
                raise CorpusError(f"corpus.{name}: there is no file {path}")
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out}: is a file; name a folder for the run")


def choose_processes(config: TrainingConfig, requested: int | None) -> int:
    """Return how many processes to train with.

    On a CPU, processes of one thread each are faster than threads in one process; they share the
    micro-batches of an update, so their number should divide that of the micro-batches.

    Args:
        config: The run.
        requested: What the user asked for; None for the best.

    Raises:
        ConfigError: More were asked for than there are micro-batches.
    """
    micro_batches = config.batch.micro_batches
    if requested is None:
        if config.run.device != "cpu":
            return 1
        cores = min(usable_cores(), micro_batches)
        return max(n for n in range(1, cores + 1) if micro_batches % n == 0)
    require_work(config, requested)
    return requested


def require_work(config: TrainingConfig, processes: int) -> None:
    """Raise ConfigError if some of so many processes would have no part of an update."""
    if processes > config.batch.micro_batches:
        raise ConfigError(
            f"{processes} processes: an update has batch.micro_batches = "
            f"{config.batch.micro_batches}, so more processes than that would have no work"
        )


@dataclass(frozen=True, slots=True)
class _Worker:
    rank: int
    process: subprocess.Popen[bytes]
    talk: IO[Any] | None
    """What it wrote to standard error; the leading one writes to ours."""


def launch(arguments: Sequence[str], config: TrainingConfig, *, processes: int) -> int:
    """Run the workers to their end and return the exit status of the whole.

    SIGTERM and Ctrl-C are passed on once, and the workers stop after the update that they are in;
    the second time they are killed.

    Args:
        arguments: Command line of `worker`.
        config: The run.
        processes: How many to start.
    """
    signals_received = 0

    def receive(_signal: int, _frame: FrameType | None) -> None:
        nonlocal signals_received
        signals_received += 1
        _send(workers, signal.SIGTERM if signals_received == 1 else signal.SIGKILL)

    # Ignored in the workers too, which inherit this: the terminal sends SIGINT to all of them.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    workers = _start(arguments, config, processes)
    try:
        signal.signal(signal.SIGINT, receive)
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, receive)
        failures = _wait(workers)
        return _stopped(workers) if signals_received else _explain(failures)
    finally:
        _send(workers, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)
        for worker in workers:
            worker.process.wait()
            if worker.talk is not None:
                worker.talk.close()


def _start(arguments: Sequence[str], config: TrainingConfig, processes: int) -> list[_Worker]:
    threads = config.run.threads or max(1, usable_cores() // processes)
    common = ALLOCATOR | os.environ | {"OMP_NUM_THREADS": str(threads), PARENT: str(os.getpid())}
    common["WORLD_SIZE"] = str(processes)
    if processes > 1:
        common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
        common.setdefault("GLOO_SOCKET_IFNAME", "lo")
    workers = []
    for rank in range(processes):
        talk = tempfile.TemporaryFile() if rank else None  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "ferryman_training.worker", *arguments],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if rank else None,
            stderr=talk,
        )
        workers.append(_Worker(rank, process, talk))
    return workers


def _wait(workers: Sequence[_Worker]) -> list[_Worker]:
    """Return when all have ended: those that failed by themselves, in the order of time.

    Once one has failed, the others get some time to notice and say so.
    """
    failures: list[_Worker] = []
    deadline = float("inf")
    while True:
        statuses = [worker.process.poll() for worker in workers]
        failures += [
            w for w, status in zip(workers, statuses, strict=True) if status and w not in failures
        ]
        if None not in statuses:
            return failures
        if failures:
            deadline = min(deadline, time.monotonic() + _GRACE)
        if time.monotonic() > deadline:
            _send(workers, signal.SIGKILL)
            return failures
        time.sleep(_POLL)


def _stopped(workers: Sequence[_Worker]) -> int:
    """Return the status after a signal; say so if the workers could not."""
    statuses = {worker.process.wait() for worker in workers}
    failed = statuses - {0, STOPPED} - {-signal.SIGTERM, -signal.SIGKILL}
    if failed:
        return max(1, *failed)
    if any(status < 0 for status in statuses):
        _say("Stopped at once. The same command goes on from the last checkpoint.")
        return STOPPED
    return max(statuses)


def _explain(failures: Sequence[_Worker]) -> int:
    """Return the status of the whole; say why one failed if the leading one did not."""
    if not failures:
        return 0
    lost = ReplicaLostError.exit_status
    cause = next((w for w in failures if w.process.returncode != lost), failures[0])
    status = cause.process.returncode
    if status < 0:
        name = signal.Signals(-status).name
        memory = ", as when memory runs out" if -status == signal.SIGKILL else ""
        _say(
            f"error: training process {cause.rank} was ended by {name}{memory}. "
            "The same command goes on from the last checkpoint."
        )
        return 1
    leader_told = any(w.rank == 0 and w.process.returncode != lost for w in failures)
    if cause.talk is not None and not leader_told:
        cause.talk.seek(0)
        _say(cause.talk.read().decode(errors="replace").rstrip())
    return int(status)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _send(workers: Sequence[_Worker], number: signal.Signals) -> None:
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
