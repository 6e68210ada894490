"""A bundle on disk made a model that translates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ferryman_bundle import Bundle, BundleError, StateKind
from ferryman_bundle.files import SizeLimits
from ferryman_bundle.manifest import Manifest
from ferryman_bundle.sealed import SealedBundle
from ferryman_server import runtime
from ferryman_server.config import ServerConfig, load_config
from ferryman_server.description import Device
from ferryman_server.devices import affordable_lanes, chosen_device, engine_workers
from ferryman_server.engine import Engine, Observer
from ferryman_server.fleet import Loaded
from ferryman_server.metrics import Metrics, write_books
from ferryman_server.model import Model
from ferryman_server.quarantine import TrialLimits, known_bundles, release
from ferryman_server.start_errors import BundleUnusableError, ConfigError, DeviceError


def read_bundle(path: Path, config: ServerConfig | None = None) -> SealedBundle:
    """Read a bundle and check every byte; nothing is parsed but its manifest.

    Args:
        path: Of its directory, or of its packed form.
        config: Of the server; None for the defaults.

    Raises:
        BundleUnusableError: With the reason in one line.
    """
    config = config or load_config({})
    try:
        return SealedBundle.read(path, SizeLimits(bundle=config.max_bundle_bytes))
    except (BundleError, OSError) as error:
        raise BundleUnusableError(str(error)) from error


def load_bundle(path: Path, config: ServerConfig | None = None) -> Bundle:
    """Read and verify a bundle, which is loaded in another process first if it is a new one.

    Args:
        path: Of its directory, or of its packed form.
        config: Of the server; None for the defaults.

    Raises:
        BundleUnusableError: With the reason in one line.
    """
    config = config or load_config({})
    sealed = read_bundle(path, config)
    try:
        if config.trial_seconds > 0:
            variant = chosen_variant(sealed.manifest, config)
            release(sealed, path, variant, trial_limits(config), known_bundles())
        return Bundle.open(sealed)
    except BundleError as error:
        raise BundleUnusableError(f"{path}: {error}") from error


def chosen_variant(manifest: Manifest, config: ServerConfig) -> str:
    """Return the variant of a bundle to run.

    Raises:
        ConfigError: The bundle does not have the one that was asked for.
        BundleError: It has none for the device.
    """
    if config.variant is None:
        return manifest.default_variant(chosen_device(config))
    if config.variant not in manifest.variants:
        raise ConfigError(
            f"--variant: must be one of {', '.join(sorted(manifest.variants))}, which the bundle "
            f"has, but is {config.variant!r}"
        )
    return config.variant


def trial_limits(config: ServerConfig | None = None) -> TrialLimits:
    """Return what the first load of a bundle may take.

    Args:
        config: Of the server; None for the defaults.
    """
    config = config or load_config({})
    # Whoever skips trials when serving has not said how long one may take that is asked for.
    seconds = config.trial_seconds or TrialLimits().seconds
    return TrialLimits(seconds=seconds, bundle_bytes=config.max_bundle_bytes)


@contextmanager
def running_engine(
    bundle: Bundle, config: ServerConfig, observer: Observer | None = None
) -> Iterator[Engine]:
    """Give an engine that runs a bundle, proven on its golden sentences, and stop it at the end.

    Args:
        bundle: The model.
        config: Of the server.
        observer: Told how long its steps and waits take.

    Raises:
        DeviceError: The device asked for is not there.
        BundleUnusableError: ONNX Runtime does not take the graphs, or they compute something else
            on this machine than where they were made.
        ConfigError: The batch has no room for a single sentence, or its state no memory.
    """
    _check_rows(bundle.manifest, config)
    ready = _runtime(bundle, config)
    engine = Engine(
        ready,
        workers=engine_workers(config),
        max_lanes=affordable_lanes(ready, config),
        max_rows=config.max_rows,
        max_queued_tokens=config.max_queued_tokens,
        max_wait_seconds=config.max_wait_seconds,
        ageing_seconds=config.ageing_seconds,
        max_step_seconds=config.max_step_seconds,
        observer=observer,
    )
    engine.start()
    try:
        yield engine
    finally:
        engine.close()


def _runtime(bundle: Bundle, config: ServerConfig) -> runtime.OnnxRuntime:
    try:
        ready = runtime.OnnxRuntime(
            bundle,
            config.threads,
            device=chosen_device(config),
            variant=chosen_variant(bundle.manifest, config),
        )
        ready.verify(bundle)
    except runtime.DeviceError as error:
        raise DeviceError(f"--device {config.device}: {error}") from error
    except (BundleError, runtime.VerificationError) as error:
        raise BundleUnusableError(str(error)) from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise BundleUnusableError(
            f"ONNX Runtime {runtime.VERSION} does not run this bundle ({reason}); export it anew"
        ) from error
    return ready


def _check_rows(manifest: Manifest, config: ServerConfig) -> None:
    beam_size = manifest.generation.beam_size
    if config.max_rows < beam_size:
        raise ConfigError(
            f"--max-rows: must be at least the beam size of the model, {beam_size}, "
            f"but is {config.max_rows}"
        )


def load_model(path: Path, variant: str | None, config: ServerConfig, metrics: Metrics) -> Loaded:
    """Load a bundle and start an engine for it; the metrics tell of it until it is closed.

    Args:
        path: Of the bundle.
        variant: Which to run; None for that of the configuration, or of the device.
        config: Of the server.
        metrics: Where its engine is counted.

    Raises:
        StartError: The bundle cannot be used; the message says why.
    """
    config = config.model_copy(update={"variant": variant or config.variant})
    bundle = load_bundle(path, config)
    name = f"{bundle.manifest.name}@{bundle.manifest.version}"
    with ExitStack() as stack:
        engine = stack.enter_context(running_engine(bundle, config, metrics.observer(name)))
        model = model_of(bundle, engine, config)
        ending = stack.pop_all()

    def close() -> None:
        ending.close()
        metrics.remove_engine(name)
        write_books(name, engine.statistics())

    metrics.add_engine(name, engine.statistics, facts_of(model, config))
    return Loaded(model, engine, close)


def model_of(bundle: Bundle, engine: Engine, config: ServerConfig) -> Model:
    """Return the model that a bundle and its engine are together."""
    name = chosen_variant(bundle.manifest, config)
    variant = bundle.manifest.variants[name]
    return Model(
        manifest=bundle.manifest,
        digest=bundle.digest,
        tokenizer=bundle.tokenizer,
        engine=engine,
        # Its session is made when something is first scored.
        scorer=runtime.Scorer(bundle, name) if runtime.SCORER in variant.graphs else None,
        has_attention=any(tensor.kind is StateKind.MEMORY for tensor in variant.state),
        variant=name,
    )


def facts_of(model: Model, config: ServerConfig) -> dict[str, str]:
    """Return what the metrics say of a model."""
    return {
        "digest": model.digest,
        "family": model.manifest.family,
        "variant": chosen_variant(model.manifest, config),
        "languages": ",".join(f"{p.source}-{p.target}" for p in model.manifest.language_pairs),
    }


def device_of(config: ServerConfig) -> Device:
    """Return what the models run on."""
    return Device(
        provider=runtime.PROVIDERS[chosen_device(config)],
        runtime="onnxruntime",
        runtime_version=runtime.VERSION,
        workers=engine_workers(config),
        threads_per_worker=config.threads,
    )
