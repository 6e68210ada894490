"""Is this machine fit to serve? Each check looks at one thing, and says what to do about it.

Nothing is changed, and nothing but the local ports is connected to.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from google.protobuf.internal import api_implementation

from ferryman_server.address import check_address
from ferryman_server.config import ServerConfig
from ferryman_server.cores import cgroup_quota, usable_cores
from ferryman_server.probe import probe
from ferryman_server.security import exposures, security_of
from ferryman_server.start_errors import AddressError, StartError

_SPARE_FILES: Final = 128
"""Open files besides those of connections: libraries, logs, the model."""


class Verdict(StrEnum):
    """What a check found."""

    GOOD = "good"
    WARNING = "warning"
    """It works, but not as well, or not as safely, as it could."""
    FAULT = "fault"
    """The server will not start, or not do what it is told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look found."""

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""


Findings = Iterator[Finding]


def examine(config: ServerConfig) -> list[Finding]:
    """Look at everything."""
    checks: tuple[Callable[[ServerConfig], Findings], ...] = (
        _packages,
        _providers,
        _telemetry,
        _threads,
        _open_files,
        _ports,
        _security,
        _bundles,
    )
    return [finding for check in checks for finding in check(config)]


def _good(subject: str, found: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.GOOD, found=found)


def _fault(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.FAULT, found=found, remedy=remedy)


def _warning(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.WARNING, found=found, remedy=remedy)


def _packages(_config: ServerConfig) -> Findings:
    both = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(both) == 2:
        yield _fault(
            "packages",
            "onnxruntime and onnxruntime-gpu are both installed, and overwrite each other",
            "make a new environment with ferryman[server] or ferryman[server-gpu], not both",
        )
    else:
        names = ("ferryman", *both, "grpcio", "protobuf")
        yield _good("packages", ", ".join(f"{name} {_version(name)}" for name in names))
    if (kind := api_implementation.Type()) != "upb":
        yield _warning(
            "protobuf",
            f"it runs on its implementation in {kind}, which is slow and knows no depth limit",
            "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, and install a wheel of protobuf",
        )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _providers(config: ServerConfig) -> Findings:
    import onnxruntime

    from ferryman_server.runtime.cuda import cuda_fault

    available = ", ".join(onnxruntime.get_available_providers())
    fault = cuda_fault()
    if fault is None:
        yield _good("CUDA", f"all its libraries load; providers: {available}")
    elif config.device == "cuda":
        yield _fault("CUDA", "--device cuda is asked for and cannot be had", fault)
    else:
        yield _good("CUDA", f"not there, and not asked for ({fault}); providers: {available}")


def _telemetry(_config: ServerConfig) -> Findings:
    # The package sets the variable when it is imported, before ONNX Runtime can be.
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        yield _good("telemetry", "ONNX Runtime's is off")
    else:
        yield _fault(
            "telemetry",
            "ONNX Runtime's is on",
            "set ORT_DISABLE_TELEMETRY=1, or unset it: the server then does",
        )


def _threads(config: ServerConfig) -> Findings:
    cores, quota = usable_cores(), cgroup_quota()
    allowed = len(os.sched_getaffinity(0))
    source = f"{allowed} by affinity, {'no quota' if quota > allowed else f'a quota of {quota:g}'}"
    asked = config.workers * config.threads
    if asked > cores:
        yield _warning(
            "threads",
            f"{config.workers} workers of {config.threads} threads are {asked}, "
            f"but {cores} cores are usable ({source})",
            f"--workers {max(1, cores // config.threads)}: more would take turns",
        )
    elif asked < cores:
        yield _warning(
            "threads",
            f"{asked} of {cores} usable cores are used ({source})",
            f"leave --workers out, or set it to {max(1, cores // config.threads)}",
        )
    else:
        yield _good("threads", f"{asked} on {cores} usable cores ({source})")


def _open_files(config: ServerConfig) -> Findings:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # In the worst case each call comes over a connection of its own.
    needed = config.max_concurrent_calls + _SPARE_FILES
    if resource.RLIM_INFINITY not in (limit, most) and limit < needed:
        yield _warning(
            "open files",
            f"at most {limit}, but {config.max_concurrent_calls} calls may be open at a time",
            f"ulimit -n {needed}"
            + (f" (the hard limit is {most})" if most < needed else "")
            + f", or --max-concurrent-calls {max(1, limit - _SPARE_FILES)}",
        )
    else:
        yield _good("open files", f"at most {limit}, {needed} may be needed")


def _ports(config: ServerConfig) -> Findings:
    addresses = {"--address": config.address}
    if config.metrics_address != "none":
        addresses["--metrics-address"] = config.metrics_address
    if (config.tls_certificate or config.keys_file) and config.probe_address != "none":
        addresses["--probe-address"] = config.probe_address
    if config.admin_address not in (None, "none"):
        addresses["--admin-address"] = str(config.admin_address)
    for option, address in addresses.items():
        try:
            check_address(address, option=option)
        except AddressError as error:
            if option != "--metrics-address" and probe(address) is None:
                yield _warning(
                    f"port of {option}",
                    f"a server is healthy at {address} already",
                    f"stop it, or choose another with {option}",
                )
            else:
                yield _fault(f"port of {option}", str(error), f"{option} HOST:PORT")
        else:
            yield _good(f"port of {option}", f"{address} is free")


def _security(config: ServerConfig) -> Findings:
    try:
        # Only the files are looked at; what is open to others is told below, not in the log.
        security_of(config.model_copy(update={"probe_address": "none", "address": "localhost:0"}))
    except StartError as error:
        yield _fault("security", str(error), "see the files that the options name")
        return
    open_doors = list(exposures(config))
    for found, remedy in open_doors:
        yield _warning("security", found, remedy)
    if not open_doors:
        yield _good("security", f"nothing is open to others at {config.address}")


def _bundles(config: ServerConfig) -> Findings:
    for bundle in config.bundle or (None,):
        yield _bundle(bundle, config)


def _bundle(name: str | None, config: ServerConfig) -> Finding:
    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import chosen_variant, read_bundle

    try:
        path = find_bundle(name)
        sealed = read_bundle(Path(path), config)
        manifest = sealed.manifest
        variant = chosen_variant(manifest, config)
    except Exception as error:  # whatever is wrong with a bundle, the other findings are of use
        return _fault("bundle", str(error), "ferryman bundle verify BUNDLE says more")
    beam = manifest.generation.beam_size
    if config.max_rows < beam:
        return _fault(
            "bundle",
            f"{manifest.name} searches with beam {beam}, but a batch has {config.max_rows} rows",
            f"--max-rows {beam} at least",
        )
    full_name = f"{manifest.name}@{manifest.version}"
    return _good("bundle", f"{full_name} is whole, and runs as {variant}: {path}")
