"""Whole runs in this process, for tests: stopped at a step, and compared bit for bit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import tomli_w
import torch
from rich.console import Console

from ferryman_training.config import TrainingConfig, parse_config
from ferryman_training.display import PlainDisplay
from ferryman_training.progress import Progress
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.run_directory import RunDirectory
from ferryman_training.trainer import train


class Crash(BaseException):
    """The process ends, as far as the trainer can tell."""


def crash() -> None:
    raise Crash


class At:
    """A display that does something when a step is done, and keeps what it is told."""

    def __init__(self, step: int = 0, action: Callable[[], None] = crash) -> None:
        self._step = step
        self._action = action
        self._file = io.StringIO()
        self._plain = PlainDisplay(Console(file=self._file, width=200))

    def __getattr__(self, name: str) -> object:
        return getattr(self._plain, name)

    @property
    def text(self) -> str:
        return self._file.getvalue()

    def reading(self, reading, *, logged) -> None:
        self._plain.reading(reading, logged=logged)
        if reading.step == self._step:
            self._action()


def run(config: TrainingConfig, directory: Path, display: At | None = None) -> Progress:
    reporter = Reporter(config, display or At(), log=directory / "log.jsonl")
    return train(config, directory, reporter=reporter, replicas=Replicas())


def changed(document: dict, **sections: dict) -> TrainingConfig:
    """Return the config of a document with other settings in some sections.

    A model of another family takes none of the document's.
    """
    merged = dict(document)
    for name, settings in sections.items():
        merged[name] = settings if "family" in settings else document.get(name, {}) | settings
    return parse_config(merged, folder=Path(), origin="test")


def write_config(config: TrainingConfig, path: Path) -> Path:
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)), "utf-8")
    return path


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def newest(directory: Path) -> Path:
    path = RunDirectory(directory).newest
    assert path is not None
    return path


def saved_state(directory: Path) -> dict:
    return torch.load(newest(directory) / "resume.pt", weights_only=True)


def events(directory: Path) -> list[dict]:
    return [json.loads(x) for x in (directory / "log.jsonl").read_text("utf-8").splitlines()]


def course(directory: Path) -> dict[tuple[str, int], dict]:
    """Return what the log says of each step, times left out; later lines replace earlier ones."""
    timed = {"time", "tokens_per_second", "seconds"}
    told = ("update", "validation", "skip", "rollback", "plateau")
    return {
        (e["event"], e["step"]): {k: v for k, v in e.items() if k not in timed}
        for e in events(directory)
        if e["event"] in told
    }


def differences(first: Path, second: Path) -> list[str]:
    """Return what differs between the newest checkpoints of two runs, and between their logs."""
    a, b = newest(first), newest(second)
    files = ("model.safetensors", "tokenizer.model", "progress.json", "config.toml")
    found = [name for name in files if (a / name).read_bytes() != (b / name).read_bytes()]
    if not same_bits(saved_state(first), saved_state(second)):
        found.append("resume.pt")
    if course(first) != course(second):
        found.append("log.jsonl")
    return found


def same_bits(first: object, second: object) -> bool:
    """Return whether two nested values are equal, tensors bit for bit."""
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and torch.equal(first, second)
    if isinstance(first, dict):
        same_keys = isinstance(second, dict) and first.keys() == second.keys()
        return same_keys and all(same_bits(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        same_length = isinstance(second, list | tuple) and len(first) == len(second)
        return same_length and all(map(same_bits, first, second))
    return first == second
