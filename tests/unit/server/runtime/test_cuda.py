"""What is missing for CUDA is told by the name of the library."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from ferryman_server.runtime import cuda
from ferryman_server.runtime.errors import DeviceError
from ferryman_server.runtime.session import check_device


def loading(*missing: str):
    """Load everything but what is missing, in the words of the loader of Linux."""

    def load(name: str) -> object:
        for library in missing:
            if name in (library, f"needs {library}"):
                raise OSError(f"{library}: cannot open shared object file: No such file")
            if library.startswith("libcu") and name.endswith("providers_cuda.so"):
                raise OSError(f"{library}: cannot open shared object file: No such file")
        return object()

    return load


def test_a_runtime_without_cuda_names_the_extra(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert "ferryman[server-gpu]" in cuda.cuda_fault()
    with pytest.raises(DeviceError, match="has no CUDAExecutionProvider"):
        check_device("cuda")


def test_a_missing_driver_is_named():
    fault = cuda.library_fault(Path("/capi"), loading("libcuda.so.1"))
    assert fault.startswith("the library libcuda.so.1 of the NVIDIA driver is not there")


def test_a_missing_library_of_cuda_is_named_with_who_needs_it():
    fault = cuda.library_fault(Path("/capi"), loading("libcudnn.so.9"))
    assert fault.startswith("the library libcudnn.so.9, which libonnxruntime_providers_cuda.so")


def test_nothing_is_missing_where_all_libraries_load():
    assert cuda.library_fault(Path("/capi"), loading()) is None


def test_the_loader_of_this_machine_is_believed(tmp_path):
    fault = cuda.library_fault(tmp_path, cuda._load)
    assert "libcuda.so.1" in fault or "libonnxruntime_providers_shared.so" in fault
