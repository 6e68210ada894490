"""What a server is, for those who ask: its version, and what its models run on."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the models of a server run on."""

    provider: str
    """Execution provider really in use, in ONNX Runtime's words."""
    runtime: str
    runtime_version: str
    workers: int
    """Engine workers, each with a running batch of its own."""
    threads_per_worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDescription:
    """What a server is."""

    version: str
    device: Device
    started: datetime.datetime
    """With its time zone."""
