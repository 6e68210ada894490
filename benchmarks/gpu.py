"""Times engines on a GPU: ferryman, CTranslate2 in float16, PyTorch eager and compiled.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.gpu BASE OUT                  # BASE: made by `benchmarks.base_model`
    python -m benchmarks.gpu BASE OUT --device cpu     # that it runs, where there is no GPU
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import torch
import typer
from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.ctranslate2_format import convert
from benchmarks.ctranslate2_settings import Setting, choose_kernels
from benchmarks.environment import read_environment
from benchmarks.loads import FORCED_TOKENS, Load
from benchmarks.measurement import Spread, identical_share, time_in_turn
from benchmarks.results import Results
from benchmarks.systems import ComputeType, CTranslate2, Device, Ferryman, System
from benchmarks.torch_system import Torch
from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Storage
from ferryman_export.rounding import round_weights
from ferryman_server.runtime.errors import DeviceError
from ferryman_training.checkpoint import Checkpoint

_BATCHES: Final[dict[Device, tuple[int, ...]]] = {"cuda": (1, 8, 32, 128, 256), "cpu": (1, 8)}
_SOURCE_TOKENS: Final = 23
_QUEUED_TOKENS: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One engine with one size of batch."""

    system: str
    batch: int
    same_tokens: float
    """Share of sentences answered like PyTorch eager, from 0 to 1."""
    seconds: Spread
    """By the clock, of one batch."""
    tokens_per_second: float
    """Of the median."""


def main(
    base: Annotated[Path, typer.Argument(help="Folder of `benchmarks.base_model`.")],
    out: Annotated[Path, typer.Argument(help="A folder for gpu.json and gpu.png.")],
    device: Annotated[str, typer.Option(help="cuda or cpu.")] = "cuda",
    rounds: Annotated[int, typer.Option(help="Times that each engine runs.", min=1)] = 5,
) -> None:
    """Time engines in turn on the same weights; targets are forced to 32 tokens."""
    environment = read_environment("onnxruntime-gpu", "onnxruntime", "ctranslate2", "torch")
    results = Results(out, "gpu")
    chosen: Device = "cpu" if device == "cpu" else "cuda"
    if chosen == "cuda" and (reason := no_gpu()):
        results.console.print(f"Skipped: {reason}.", highlight=False)
        results.write(environment, {"skipped": reason})
        return
    choose_kernels()
    model = Checkpoint.load(base / "checkpoint")
    bundle = Bundle.load(base / "bundle")
    measured: list[Measurement] = []
    with ExitStack() as stack:
        systems, missing = _systems(stack, model, bundle, chosen)
        for batch in _BATCHES[chosen]:
            load = _load(bundle, batch)
            running, broken = runnable(systems, load)
            missing |= broken
            measured += _measure(running, load, rounds)
    where = torch.cuda.get_device_name() if chosen == "cuda" else "CPU"
    results.show(table(measured, where), environment)
    for name, reason in missing.items():
        results.console.print(f"{name} is missing: {reason}", highlight=False, soft_wrap=True)
    figures = {"device": where, "measurements": measured, "missing": missing}
    results.write(environment, figures)
    results.draw(functools.partial(chart, measured), width=7, height=4)


def no_gpu() -> str | None:
    """Return why there is nothing to measure on a GPU, or None."""
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU; --device cpu tries the benchmark out"
    return None


def runnable(systems: Mapping[str, System], load: Load) -> tuple[dict[str, System], dict[str, str]]:
    """Run every system once, which warms it up, and leave out those that cannot.

    Returns:
        Those that can, and of the others what they said.
    """
    running: dict[str, System] = {}
    broken: dict[str, str] = {}
    for name, system in systems.items():
        try:
            system.translate(load)
        except Exception as error:  # a missing compiler must not end it for all
            broken[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
        else:
            running[name] = system
    return running, broken


def table(measured: Sequence[Measurement], device: str) -> Table:
    """Lay the figures out."""
    shown = Table(
        "batch", "engine", title=f"Greedy, {FORCED_TOKENS} tokens each, {device}; milliseconds"
    )
    for heading in ("min / median / max", "tokens/s", "same as eager"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        milliseconds = Spread(
            *(1000 * s for s in (row.seconds.least, row.seconds.median, row.seconds.greatest))
        )
        shown.add_row(
            str(row.batch),
            row.system,
            milliseconds.render(),
            f"{row.tokens_per_second:,.0f}",
            f"{row.same_tokens:.0%}",
        )
    return shown


def chart(measured: Sequence[Measurement], figure: Figure) -> None:
    """Draw the speed of each engine over the size of the batch."""
    axes = figure.subplots()
    for name in dict.fromkeys(row.system for row in measured):
        rows = [row for row in measured if row.system == name]
        speeds = [row.tokens_per_second for row in rows]
        axes.loglog([row.batch for row in rows], speeds, marker="o", label=name)
    axes.set_xlabel("sentences in a batch")
    axes.set_ylabel("tokens/s")
    axes.legend()


def _load(bundle: Bundle, batch: int) -> Load:
    """Return one call of equally long sentences."""
    first = bundle.manifest.tokens.vocabulary_size // 2
    sources = [tuple(range(first + i, first + i + _SOURCE_TOKENS)) for i in range(batch)]
    return Load.of(bundle, sources, target_tokens=FORCED_TOKENS)


def _systems(
    stack: ExitStack, checkpoint: Checkpoint, bundle: Bundle, device: Device
) -> tuple[dict[str, System], dict[str, str]]:
    """Start every engine that can be; of the others return why not."""
    # On the CPU the same in float32: there is no float16 worth the name.
    on_gpu = device == "cuda"
    dtype, variant = (torch.float16, "fp16") if on_gpu else (torch.float32, "fp32")

    def torch_system(*, compiled: bool) -> Torch:
        model = round_weights(checkpoint.model(), Storage.INT8)
        return Torch(model, device, dtype, compiled=compiled)

    def rival() -> CTranslate2:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        convert(bundle, folder)
        kind: ComputeType = "float16" if on_gpu else "float32"
        system = CTranslate2(folder, bundle, kind, device=device)
        system.setting = Setting(max(_BATCHES[device]))
        return system

    def ours() -> Ferryman:
        if variant not in bundle.manifest.variants:
            raise DeviceError(f"the bundle has no variant {variant}")
        system = Ferryman(
            bundle,
            variant,
            max_queued_tokens=_QUEUED_TOKENS,
            device=device,
            max_rows=max(_BATCHES[device]),
        )
        stack.callback(system.close)
        return system

    makers: list[tuple[str, Callable[[], System]]] = [
        ("PyTorch eager", functools.partial(torch_system, compiled=False)),
        ("PyTorch compiled", functools.partial(torch_system, compiled=True)),
        ("CTranslate2", rival),
        ("ferryman", ours),
    ]
    systems: dict[str, System] = {}
    missing: dict[str, str] = {}
    for name, make in makers:
        try:
            systems[name] = make()
        except (DeviceError, RuntimeError, ValueError) as error:
            missing[name] = str(error)
    return systems, missing


def _measure(systems: Mapping[str, System], load: Load, rounds: int) -> list[Measurement]:
    """Time the systems in turn."""
    answers = {name: system.ids(system.translate(load)) for name, system in systems.items()}
    reference = next(iter(answers.values()))
    timings = time_in_turn(
        {n: functools.partial(s.translate, load) for n, s in systems.items()}, rounds=rounds
    )
    batch = len(load.sources)
    return [
        Measurement(
            system=name,
            batch=batch,
            same_tokens=identical_share(reference, answers[name]),
            seconds=(seconds := Spread.of([timing.wall for timing in timings[name]])),
            tokens_per_second=batch * FORCED_TOKENS / seconds.median,
        )
        for name in systems
    ]


if __name__ == "__main__":
    typer.run(main)
