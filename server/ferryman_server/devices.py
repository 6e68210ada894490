"""The device that models run on, and how much of its memory their state may take."""

from __future__ import annotations

from ferryman_server.config import ServerConfig
from ferryman_server.runtime import Device, OnnxRuntime
from ferryman_server.runtime.cuda import cuda_fault
from ferryman_server.start_errors import ConfigError, DeviceError


def chosen_device(config: ServerConfig) -> Device:
    """Return what to compute on: what was asked for, or a GPU where all that it needs is there.

    Raises:
        DeviceError: A GPU was asked for, and something that it needs is not there.
    """
    if config.device == "cpu":
        return "cpu"
    fault = cuda_fault()
    if config.device == "cuda" and fault:
        raise DeviceError(f"--device cuda: {fault}")
    return "cpu" if fault else "cuda"


def engine_workers(config: ServerConfig) -> int:
    """Return how many workers an engine has: a GPU runs one batch at a time, and a large one."""
    return config.workers if chosen_device(config) == "cpu" else 1


def affordable_lanes(runtime: OnnxRuntime, config: ServerConfig) -> int | None:
    """Return how many running batches fit the memory for state; None where it is the host's.

    State on a device has its greatest size from the start, so what fits at first fits for ever.

    Raises:
        ConfigError: Not even one does.
    """
    # Greedy search has the most sources for its rows, and so the largest state.
    needed = runtime.state_bytes(width=1, max_sources=config.max_rows)
    if not needed:
        return None
    if needed > config.device_state_bytes:
        raise ConfigError(
            f"--max-rows: the state of {config.max_rows} hypotheses of this model takes {needed} "
            f"bytes, but --device-state-bytes allows {config.device_state_bytes}"
        )
    return config.device_state_bytes // needed
