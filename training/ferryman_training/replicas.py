"""The processes that train one model together; one process is a world of one.

They are described in the environment as `torchrun` does it (``RANK``, ``WORLD_SIZE``,
``MASTER_ADDR``, ``MASTER_PORT``), whether `ferryman train` started them or `torchrun` did.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ferryman_training.cores import usable_cores
from ferryman_training.errors import ReplicaLostError

T = TypeVar("T")

_PATIENCE = timedelta(hours=6)
"""How long a process waits for another that is alive; one that has ended is noticed at once."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """This process among those that train one model together."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls) -> Self:
        """Join the processes that the environment describes, or be alone.

        Raises:
            ReplicaLostError: The others cannot be reached.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        with _contact():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE
            )
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """True in the one process that logs and writes."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Return the indices of so many pieces of work that fall to this process."""
        return range(self.rank, count, self.world)

    def sum(self, *tensors: Tensor) -> None:
        """Add up tensors over all processes, in place."""
        if self.world > 1:
            with _contact():
                for tensor in tensors:
                    dist.all_reduce(tensor)

    def any(self, condition: bool) -> bool:
        """Return in every process whether the condition holds in one of them."""
        if self.world == 1:
            return condition
        flag = torch.tensor(float(condition))
        self.sum(flag)
        return bool(flag)

    def from_leader(self, value: T) -> T:
        """Return in every process the leader's value."""
        if self.world == 1:
            return value
        carrier = [value]
        with _contact():
            dist.broadcast_object_list(carrier)
        return carrier[0]

    def gather(self, value: T) -> list[T]:
        """Return in every process the values of all, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        with _contact():
            dist.all_gather_object(values, value)
        return values

    def leave(self) -> None:
        """End the group."""
        if self.world > 1:
            dist.destroy_process_group()

    def threads(self, configured: int) -> int:
        """Return the threads of one process; 0 shares this machine's usable cores out."""
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self.world))
        return configured or max(1, usable_cores() // here)

    def device(self, configured: str) -> torch.device:
        """Return the device of this process; several GPUs are shared out."""
        if configured == "cpu" or (configured == "auto" and not torch.cuda.is_available()):
            return torch.device("cpu")
        local = int(os.environ.get("LOCAL_RANK", self.rank))
        return torch.device("cuda", local % max(1, torch.cuda.device_count()))


@contextmanager
def _contact() -> Iterator[None]:
    """Turn a broken connection into our error."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise ReplicaLostError(
            "the contact with another process of this run is lost; "
            "run the same command again to go on from the last checkpoint"
        ) from error
