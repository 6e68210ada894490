"""Sessions: graphs made ready to run, with weights that are already in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import onnxruntime

from ferryman_server.runtime.cuda import CUDA_PROVIDER, cuda_fault
from ferryman_server.runtime.errors import DeviceError

Device = Literal["cpu", "cuda"]
PROVIDERS: Final[Mapping[Device, str]] = {"cpu": "CPUExecutionProvider", "cuda": CUDA_PROVIDER}
"""What ONNX Runtime calls that which computes on a device."""
_ERRORS_ONLY: Final = 3
_FOLDER_OF_EXTERNAL_FILES: Final = "session.model_external_initializers_file_folder_path"
_NO_FOLDER: Final = "/dev/null/no-folder"
"""A path that nobody can make exist."""


def check_device(device: Device) -> None:
    """Refuse a device that cannot be used, rather than quietly use another.

    Raises:
        DeviceError: It cannot be used.
    """
    if device == "cuda" and (fault := cuda_fault()) is not None:
        raise DeviceError(fault)


def make_session(
    graph: bytes,
    weights: Mapping[str, onnxruntime.OrtValue],
    names: Sequence[str],
    *,
    threads: int,
    device: Device = "cpu",
) -> onnxruntime.InferenceSession:
    """Make a session of a graph whose weights are elsewhere in memory.

    They are constants to ONNX Runtime all the same, which packs matrices once, here. It does not
    copy the others: whoever keeps the session must keep the weights.

    Args:
        graph: The ONNX file.
        weights: All weights of the bundle.
        names: Which of them this graph reads.
        threads: Threads that one run may use.
        device: Where to compute; what a GPU lacks, the host computes.

    Raises:
        DeviceError: ONNX Runtime could not use the device after all.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Plans of memory are kept for every combination of shapes that ever occurs, and many do.
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    # A waiting thread that spins takes its core from the other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A graph may name files to read its tensors from: here it finds none but what it is given.
    options.add_session_config_entry(_FOLDER_OF_EXTERNAL_FILES, _NO_FOLDER)
    options.add_external_initializers(list(names), [weights[name] for name in names])
    providers = list(dict.fromkeys([PROVIDERS[device], PROVIDERS["cpu"]]))
    session = onnxruntime.InferenceSession(graph, options, providers=providers)
    # It would go on with the host, and say so in its log only.
    if session.get_providers()[0] != providers[0]:
        raise DeviceError(f"ONNX Runtime could not use the device {device}: see its log")
    return session
