"""Data-parallel processes, as `torchrun` starts them; one process is the same with a world of one."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Replicas:
    """The processes that train one model together."""

    rank: int = 0
    world: int = 1

    @classmethod
    def from_environment(cls) -> Replicas:
        """Join the group that `torchrun` describes in the environment, or be alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        dist.init_process_group("gloo")
        return cls(dist.get_rank(), world)

    @property
    def leads(self) -> bool:
        """True in the one process that validates, logs and writes."""
        return self.rank == 0

    def sum(self, *tensors: Tensor) -> None:
        """Add up tensors over all processes, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the group."""
        if self.world > 1:
            dist.destroy_process_group()

    def threads(self, configured: int) -> int:
        """Return the threads of one process; 0 shares the usable cores out."""
        return configured or max(1, len(os.sched_getaffinity(0)) // self.world)


def set_threads(count: int) -> None:
    """Fix torch's threads, so that results do not depend on the machine's load."""
    torch.set_num_threads(count)
