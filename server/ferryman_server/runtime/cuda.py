"""What CUDA lacks on this machine, by the name of the library that is not there.

ONNX Runtime would say "Failed to load library" in its log and go on without CUDA.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import onnxruntime

CUDA_PROVIDER: Final = "CUDAExecutionProvider"
_DRIVER: Final = "libcuda.so.1"
# The first offers what the second asks for.
_PROVIDER_LIBRARIES: Final = (
    "libonnxruntime_providers_shared.so",
    "libonnxruntime_providers_cuda.so",
)

Load = Callable[[str], object]
"""Loads a library by name or path; raises `OSError` with the name of the one that is missing."""


def cuda_fault() -> str | None:
    """Return what is missing for CUDA, and what to do; None where all of it is there."""
    version = onnxruntime.__version__
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        return (
            f"this onnxruntime {version} has no {CUDA_PROVIDER}; "
            "install ferryman[server-gpu] in an environment without ferryman[server]"
        )
    # Takes what pip has installed of CUDA and cuDNN; it prints about what it does not find.
    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()
    return library_fault(Path(onnxruntime.__file__).parent / "capi", _load)


def library_fault(folder: Path, load: Load) -> str | None:
    """Return which library is missing, and what to do; None where all of them load.

    Args:
        folder: Where ONNX Runtime keeps its provider libraries.
        load: Loads a library.
    """
    try:
        load(_DRIVER)
    except OSError:
        return (
            f"the library {_DRIVER} of the NVIDIA driver is not there; install the driver, or give "
            "the container a GPU"
        )
    for name in _PROVIDER_LIBRARIES:
        try:
            load(str(folder / name))
        except OSError as error:
            missing = str(error).partition(":")[0]
            return (
                f"the library {Path(missing).name}, which {name} needs, is not there; "
                "pip install 'onnxruntime-gpu[cuda,cudnn]' brings CUDA and cuDNN"
            )
    return None


def _load(name: str) -> object:
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
