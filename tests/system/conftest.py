"""Real processes and real sockets: a model trained and exported here, and served by a process."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "training" / "configs" / "tiny-reversal.toml"
TASK = ROOT / "training" / "tasks" / "reversal.py"
BUNDLE_VARIABLE = "FERRYMAN_REVERSAL_BUNDLE"
"""A bundle made by an earlier run of these tests, to save its minute while working on them; its
checkpoint lies beside it as `run`."""

Pair = tuple[str, str]
Finished = subprocess.CompletedProcess[str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test to ask for the model waits for its training, on however busy a machine."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process that knows nothing of who runs the tests."""
    names = [name for name in os.environ if not name.startswith("FERRYMAN_")]
    clean = {name: os.environ[name] for name in names if name != "ORT_DISABLE_TELEMETRY"}
    return clean | {"NO_COLOR": "1", "COLUMNS": "100"} | variables


@dataclass(frozen=True)
class Reversal:
    """A model that has learnt to reverse letters, and lines that it has never seen."""

    checkpoint: Path
    bundle: Path
    test: tuple[Pair, ...]


@pytest.fixture(scope="session")
def reversal(tmp_path_factory: pytest.TempPathFactory) -> Reversal:
    """Train, and export, with the commands that a person would type."""
    folder = tmp_path_factory.mktemp("reversal")
    task = _load_task()
    # So many that the model cannot learn them by heart, and is exact on lines it has not seen.
    task.SIZES = task.SIZES | {"train": 80_000}
    task.write(folder / "task")
    test = (folder / "task" / "test.tsv").read_text("utf-8").splitlines()
    pairs = tuple((source, target) for source, _, target in (line.partition("\t") for line in test))
    if made_before := os.environ.get(BUNDLE_VARIABLE):
        return Reversal(Path(made_before).with_name("run"), Path(made_before), pairs)
    files = [f"corpus.{part}={folder / 'task' / part}.tsv" for part in ("train", "valid")]
    settings = [word for setting in files for word in ("--set", setting)]
    for command in (
        ["train", str(CONFIG), str(folder / "run"), "--processes", "1", *settings],
        [
            "export",
            str(folder / "run"),
            str(folder / "bundle"),
            "--sentence-count",
            "20",
            "--test-count",
            "40",
        ],
    ):
        finished = run_ferryman(*command, timeout=600)
        assert finished.returncode == 0, finished.stdout + finished.stderr
    return Reversal(folder / "run", folder / "bundle", pairs)


def _load_task():
    spec = importlib.util.spec_from_file_location("reversal_task", TASK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_ferryman(*arguments: str, timeout: float = 60, **options) -> Finished:
    """Run ``ferryman`` to its end."""
    options = {"env": environment(), "stdin": subprocess.DEVNULL} | options
    if "input" in options:
        del options["stdin"]
    return subprocess.run(
        [sys.executable, "-m", "ferryman", *arguments],
        capture_output=True,
        check=False,
        timeout=timeout,
        encoding="utf-8",
        errors="surrogateescape",
        **options,
    )


class ServerProcess:
    """A running ``ferryman serve``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    @property
    def log(self) -> str:
        with self._more:
            return "".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Wait until a line of the log has what a pattern describes."""

        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._more:
            self._more.wait_for(lambda: found() or self._ended, seconds)
            match = found()
        assert match, f"no {pattern!r} within {seconds} s:\n{self.log}"
        return match

    @property
    def address(self) -> str:
        return self.wait_for(r"listens on +(\S+)")[1]

    def metrics(self) -> dict[str, float]:
        """The metrics as they are now: ``ferryman_calls_total{code="OK",method="Check"}``: 1.0."""
        address = self.wait_for(r"metrics +http://(\S+)/metrics")[1]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as response:
            text = response.read().decode("utf-8")
        samples = (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in samples}

    def total(self, family: str) -> float:
        """The sum of all series of a metric."""
        metrics = self.metrics().items()
        return sum(value for name, value in metrics if name.partition("{")[0] == family)

    def check_books(self, seconds: float = 30) -> None:
        """Wait until the server is quiet; then whatever was admitted must have ended somehow."""
        give_up = time.monotonic() + seconds
        while self.total("ferryman_queue_jobs") + self.total("ferryman_batch_jobs"):
            assert time.monotonic() < give_up, "sentences are still decoded for nobody"
            time.sleep(0.01)
        metrics = self.metrics()
        series = [n for n in metrics if n.startswith("ferryman_jobs_admitted_total")]
        assert series, "no model has an engine"
        for name in series:
            ended = name.replace("admitted", "ended").removesuffix("}")
            outcomes = {n: v for n, v in metrics.items() if n.startswith(ended)}
            assert len(outcomes) == 4
            assert metrics[name] == sum(outcomes.values()), outcomes

    def check_last_books(self) -> None:
        """The same of a server that has ended in good order, from its last line."""
        for books in re.findall(r"INFO books (.*)", self.log):
            facts = {n: int(v) for n, v in re.findall(r"(\w+)=(\d+)(?= |$)", books)}
            ended = sum(facts[n] for n in ("completed", "failed", "cancelled", "expired"))
            assert facts["admitted"] == ended, books

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Send a signal and return the exit code, with the whole log read."""
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        with self._more:
            assert self._more.wait_for(lambda: self._ended, seconds)
        self.check_last_books()
        return code


_RUNNING: list[ServerProcess] = []
"""Servers that tests have started and not ended."""


@pytest.fixture(autouse=True)
def _books_balance():
    """After every test, every server that still runs has accounted for all that it admitted."""
    yield
    for server in _RUNNING:
        if server.process.poll() is None:
            server.check_books()


Serving = Callable[..., AbstractContextManager[ServerProcess]]


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Serve a bundle in a process of its own: ``with serving(bundle, *flags) as server``."""

    @contextmanager
    def serve(
        bundle: Path, *flags: str, program: Sequence[str] = ("-m", "ferryman"), **variables: str
    ) -> Iterator[ServerProcess]:
        command = [sys.executable, *program, "serve", str(bundle)]
        with subprocess.Popen(
            [*command, "--address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment(**variables),
        ) as process:
            server = ServerProcess(process)
            try:
                server.wait_for("Stop: +Ctrl-C")
                _RUNNING.append(server)
                yield server
            finally:
                if server in _RUNNING:
                    _RUNNING.remove(server)
                if process.poll() is None:
                    process.kill()

    return serve


@pytest.fixture(scope="session")
def server(reversal: Reversal, serving: Serving) -> Iterator[ServerProcess]:
    """One server for all tests that leave it as it is; it must have nothing to complain of."""
    with serving(reversal.bundle) as running:
        yield running
        assert running.end() == 0
        assert "Traceback" not in running.log


@pytest.fixture(scope="session")
def ferryman() -> Callable[..., Finished]:
    """Run the command to its end: ``ferryman("translate", ..., input=...)``."""
    return run_ferryman
