"""Quarantine: a bundle that was never loaded here is first loaded in a process that may die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman_bundle.errors import one_line
from ferryman_bundle.manifest import WEIGHTS
from ferryman_bundle.sealed import SealedBundle
from ferryman_server import runtime
from ferryman_server.known_bundles import KnownBundles, cache_file
from ferryman_server.runtime.trial import TrialOrder
from ferryman_server.start_errors import BundleUnusableError

MEMORY_BYTES: Final = 1 << 30
"""What a trial may allocate, besides what its weights explain."""
_BYTES_OF_A_WEIGHT: Final = 16
"""Memory for a byte of the weights file: int8 becomes float32, and kernels pack it anew."""
_MODULE: Final = "ferryman_server.runtime.trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLimits:
    """What the first load of a bundle may take."""

    seconds: float = 60.0
    """Of wall-clock time, and of processor time."""
    memory_bytes: int = MEMORY_BYTES
    """Besides what its weights explain."""
    bundle_bytes: int = 8 << 30
    """Of all files of the bundle together."""


def release(
    sealed: SealedBundle, path: Path, variant: str, limits: TrialLimits, known: KnownBundles
) -> None:
    """Return if a bundle may be loaded into this process; load it in another one first if need be.

    Args:
        sealed: The bundle.
        path: Where it was read from.
        variant: Which of its variants is to be loaded.
        limits: What a trial may take.
        known: Bundles that need no trial; this one is among them from now on.

    Raises:
        BundleUnusableError: It does harm, or does not do what it says.
    """
    key = f"{sealed.digest} {variant} onnxruntime-{runtime.VERSION}"
    if key in known:
        return
    reason = try_out(sealed, path, variant, limits)
    if reason is not None:
        raise BundleUnusableError(f"{path}: {_name(sealed)}, {variant}: cannot be loaded: {reason}")
    known.add(key)


def known_bundles() -> KnownBundles:
    """Return the bundles that this user has loaded before."""
    return KnownBundles(cache_file())


def try_out(sealed: SealedBundle, path: Path, variant: str, limits: TrialLimits) -> str | None:
    """Load a bundle in a process of its own, and return what is wrong with it, if something is.

    Args:
        sealed: The bundle.
        path: Where it was read from.
        variant: Which of its variants is to be loaded.
        limits: What a trial may take.
    """
    order = TrialOrder(
        path=str(path.absolute()),
        variant=variant,
        seconds=limits.seconds,
        memory_bytes=limits.memory_bytes + _BYTES_OF_A_WEIGHT * len(sealed.contents[WEIGHTS]),
        bundle_bytes=limits.bundle_bytes,
    )
    # -P keeps the working directory, which may be a stranger's, from being searched for modules.
    command = [sys.executable, "-P", "-m", _MODULE, order.written()]
    try:
        finished = subprocess.run(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _too_long(limits)
    return judge(finished.returncode, finished.stdout, digest=sealed.digest, limits=limits)


def judge(code: int, output: bytes, *, digest: str, limits: TrialLimits) -> str | None:
    """Return what is wrong with a bundle by how its trial ended; None if nothing is.

    Args:
        code: How the process ended, negative for a signal.
        output: What it printed.
        digest: Of the bundle that was to be tried.
        limits: What the trial could take.
    """
    if code == -signal.SIGXCPU:
        return _too_long(limits)
    if code < 0:
        return f"it ended the process that loaded it first ({_signal_name(-code)})"
    try:
        answer = json.loads(output)
    except ValueError:
        return f"the process that loaded it first ended with {code} and no answer"
    if not isinstance(answer, dict):
        answer = {}
    if "refused" in answer:
        # What came out of a process that parsed a stranger's files is a stranger's word.
        return one_line(str(answer["refused"]))
    if answer.get("digest") != digest:
        return "it changed while it was loaded"
    return None


def _too_long(limits: TrialLimits) -> str:
    return f"it took more than {limits.seconds:g} s to load; --trial-seconds allows more"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _name(sealed: SealedBundle) -> str:
    return f"{sealed.manifest.name} {sealed.manifest.version}"


def _environment() -> dict[str, str]:
    """Return the environment of a trial: it finds the modules that this process has found."""
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": paths, "ORT_DISABLE_TELEMETRY": "1"}
