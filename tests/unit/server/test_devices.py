"""The device is what was asked for, and its memory bounds what runs at a time."""

from __future__ import annotations

import pytest

from ferryman_server import devices
from ferryman_server.config import load_config
from ferryman_server.start_errors import ConfigError, DeviceError


class Resident:
    """A runtime whose state takes 1 MiB a source."""

    def state_bytes(self, *, width, max_sources):
        assert width == 1
        return max_sources << 20


class Host:
    def state_bytes(self, *, width, max_sources):
        return 0


@pytest.mark.parametrize(("fault", "expected"), [(None, "cuda"), ("no driver", "cpu")])
def test_auto_is_a_gpu_where_nothing_is_missing(monkeypatch, fault, expected):
    monkeypatch.setattr(devices, "cuda_fault", lambda: fault)
    assert devices.chosen_device(load_config({})) == expected


def test_a_gpu_that_lacks_something_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "cuda_fault", lambda: "no driver")
    with pytest.raises(DeviceError, match="--device cuda: no driver"):
        devices.chosen_device(load_config({"device": "cuda"}))


def test_a_gpu_has_one_worker(monkeypatch):
    monkeypatch.setattr(devices, "cuda_fault", lambda: None)
    assert devices.engine_workers(load_config({"workers": "3"})) == 1
    assert devices.engine_workers(load_config({"workers": "3", "device": "cpu"})) == 3


def test_as_many_batches_run_as_memory_has_room_for():
    config = load_config({"max_rows": "16", "device_state_bytes": str(40 << 20)})
    assert devices.affordable_lanes(Resident(), config) == 2
    assert devices.affordable_lanes(Host(), config) is None


def test_a_batch_that_no_memory_has_room_for_is_refused_at_the_start():
    config = load_config({"max_rows": "64", "device_state_bytes": str(40 << 20)})
    with pytest.raises(ConfigError, match=r"--max-rows: the state of 64 .* takes 67108864 bytes"):
        devices.affordable_lanes(Resident(), config)
