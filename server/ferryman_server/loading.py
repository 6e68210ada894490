"""A bundle on disk made a model that translates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.manifest import Manifest
from ferryman_server import runtime
from ferryman_server.catalogue import Model
from ferryman_server.config import ServerConfig
from ferryman_server.description import Device
from ferryman_server.engine import Engine
from ferryman_server.start_errors import BundleUnusableError, ConfigError, DeviceError


def load_bundle(directory: Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleUnusableError: With the reason in one line.
    """
    try:
        return Bundle.load(directory)
    except (BundleError, OSError) as error:
        raise BundleUnusableError(str(error)) from error


@contextmanager
def running_engine(bundle: Bundle, config: ServerConfig) -> Iterator[Engine]:
    """Give an engine that runs a bundle, proven on its golden sentences, and stop it at the end.

    Raises:
        DeviceError: The device asked for is not there.
        BundleUnusableError: ONNX Runtime does not take the graphs, or they compute something else
            on this machine than where they were made.
        ConfigError: The batch has no room for a single sentence.
    """
    _check_rows(bundle.manifest, config)
    engine = Engine(
        _runtime(bundle, config),
        workers=config.workers,
        max_rows=config.max_rows,
        max_queued_tokens=config.max_queued_tokens,
    )
    engine.start()
    try:
        yield engine
    finally:
        engine.close()


def _runtime(bundle: Bundle, config: ServerConfig) -> runtime.OnnxRuntime:
    try:
        ready = runtime.OnnxRuntime(
            bundle, config.threads, device="cpu" if config.device == "auto" else config.device
        )
        ready.verify(bundle)
    except runtime.DeviceError as error:
        raise DeviceError(f"--device {config.device}: {error}") from error
    except (BundleError, runtime.VerificationError) as error:
        raise BundleUnusableError(str(error)) from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise BundleUnusableError(
            f"ONNX Runtime {version('onnxruntime')} does not run this bundle ({reason}); "
            "export it anew"
        ) from error
    return ready


def _check_rows(manifest: Manifest, config: ServerConfig) -> None:
    beam_size = manifest.generation.beam_size
    if config.max_rows < beam_size:
        raise ConfigError(
            f"--max-rows: must be at least the beam size of the model, {beam_size}, "
            f"but is {config.max_rows}"
        )


def model_of(bundle: Bundle, engine: Engine) -> Model:
    """Return the model that a bundle and its engine are together."""
    return Model(
        manifest=bundle.manifest, digest=bundle.digest, tokenizer=bundle.tokenizer, engine=engine
    )


def device_of(config: ServerConfig) -> Device:
    """Return what the models run on."""
    return Device(
        provider="CPUExecutionProvider",
        runtime="onnxruntime",
        runtime_version=version("onnxruntime"),
        workers=config.workers,
        threads_per_worker=config.threads,
    )
