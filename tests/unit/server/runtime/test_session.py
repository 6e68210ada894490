"""A device that cannot be used is refused, and nothing else is used instead."""

from __future__ import annotations

import onnxruntime
import pytest

from ferryman_server.runtime.errors import DeviceError
from ferryman_server.runtime.session import check_device


def test_the_processor_is_always_there():
    check_device("cpu")


def test_a_gpu_without_its_provider_names_what_to_install(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"has no CUDAExecutionProvider; install ferryman\["):
        check_device("cuda")


def test_a_gpu_is_not_used_while_state_lives_in_host_memory(monkeypatch):
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    with pytest.raises(DeviceError, match="use device cpu"):
        check_device("cuda")
