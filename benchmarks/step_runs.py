"""Decode steps, timed, and profiled operator by operator.

Dimension key:
    n: sources, of one hypothesis each
"""

from __future__ import annotations

import functools
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.gemm import Precision
from benchmarks.step_floor import Floor
from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime
from ferryman_server.runtime.decoder import OnnxDecoder


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorShare:
    """The operators of one kind in a step."""

    operator: str
    seconds: float
    """Of a step."""
    count: int
    """Of a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A decode step of one model, and its floor."""

    scale: str
    variant: Precision
    sources: int
    floor: Floor
    graph: float
    """Seconds of the step graph alone."""
    engine: float
    """Seconds of CPU time of a step in the engine."""
    operators: list[OperatorShare]


class StepRun:
    """Steps of one variant over sources of one length.

    Args:
        bundle: The model.
        variant: Of the bundle.
        sources: n.
        source_length: Tokens of each, without its end.
        steps: Of each run.
    """

    def __init__(
        self, bundle: Bundle, variant: str, *, sources: int, source_length: int, steps: int
    ) -> None:
        self._bundle = bundle
        self._variant = variant
        self._steps = steps
        self._runtime = OnnxRuntime(bundle, variant=variant)
        first = bundle.manifest.tokens.vocabulary_size // 2
        self._sources = [tuple(range(first + i, first + i + source_length)) for i in range(sources)]

    def graph_seconds(self, repetitions: int) -> float:
        """Return the mean time of a step, of the graph alone: each step's shortest."""
        session = self._session(profile=None)
        runs = [self._decode(session) for _ in range(repetitions)]
        shortest = [min(times) for times in zip(*runs, strict=True)]
        mean: float = sum(shortest) / self._steps
        return mean

    def engine_seconds(self, repetitions: int) -> float:
        """Return the mean time of a step in the engine, search included and encoder not.

        It is CPU time, of the shortest of some runs.
        """
        search = Search(max_tokens=self._steps, min_tokens=self._steps - 1)
        jobs = [Job(source=source, search=search) for source in self._sources]
        with Engine(self._runtime, max_rows=len(jobs), max_queued_tokens=1 << 20) as engine:

            def decode() -> None:
                for future in engine.submit(jobs):
                    future.result()

            encode = functools.partial(self._runtime.encode, self._sources)
            whole = min(_cpu_seconds(decode) for _ in range(repetitions))
            return (whole - min(_cpu_seconds(encode) for _ in range(repetitions))) / self._steps

    def profile(self) -> list[OperatorShare]:
        """Return what each kind of operator takes of a step, the longest first."""
        with tempfile.TemporaryDirectory() as folder:
            session = self._session(profile=Path(folder) / "step")
            self._decode(session)
            events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
        return operator_shares(events)

    def _session(self, *, profile: Path | None) -> onnxruntime.InferenceSession:
        """Return a session with the settings of the server, apart from profiling."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile)
        # Kept with this run: a session does not own them.
        self._values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(values)
            for name, values in self._bundle.initializer_values("step", self._variant).items()
        }
        options.add_external_initializers(list(self._values), list(self._values.values()))
        graph = self._bundle.graph("step", self._variant)
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def _decode(self, session: onnxruntime.InferenceSession) -> list[float]:
        """Decode greedily, whatever the tokens, and return the seconds of each step."""
        decoder = OnnxDecoder(
            session,
            self._bundle.manifest.variants[self._variant].state,
            width=1,
            max_sources=len(self._sources),
            vocabulary_size=self._bundle.manifest.tokens.vocabulary_size,
        )
        decoder.state.admit(self._runtime.encode(self._sources))
        decoder.input_ids[:] = self._bundle.manifest.tokens.bos
        seconds = []
        for _ in range(self._steps):
            began = time.perf_counter()
            _, ids = decoder.step(2)
            seconds.append(time.perf_counter() - began)
            decoder.input_ids[:] = ids[:, :, 0]
        return seconds


def operator_shares(events: Sequence[Mapping[str, Any]]) -> list[OperatorShare]:
    """Add up ONNX Runtime's events by kind of operator, the longest first.

    Each operator counts with the median of all steps, which the interruptions of a busy machine do
    not move.

    Args:
        events: Of a profile of one graph; durations are microseconds.
    """
    durations: defaultdict[str, defaultdict[str, list[float]]]
    durations = defaultdict(lambda: defaultdict(list))
    for event in events:
        name = str(event.get("name"))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            durations[event["args"]["op_name"]][name].append(event["dur"])
    shares = [
        OperatorShare(
            operator=operator,
            seconds=sum(map(statistics.median, nodes.values())) / 1e6,
            count=len(nodes),
        )
        for operator, nodes in durations.items()
    ]
    return sorted(shares, key=lambda share: -share.seconds)


def _cpu_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
