"""The two engines behind one interface: token ids in, token ids out, one thread a worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import ctranslate2  # type: ignore  # has no types, and is installed for this benchmark only

from benchmarks.ctranslate2_settings import Setting
from benchmarks.loads import Ids, Load
from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime

ComputeType = Literal["float32", "float16", "int8"]
Device = Literal["cpu", "cuda"]

MAX_TOKENS: Final = 256
"""The most tokens of a translation, the same for both: CTranslate2 has one limit for a batch."""
LENGTH_PENALTY: Final = 1.0


class System(Protocol):
    """An engine with a model."""

    name: str

    def translate(self, load: Load) -> Sequence[object]:
        """Translate all sentences, in order; the result is for `ids` of the same system."""
        ...

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """Return the token ids of the best hypotheses, without the end; not timed."""
        ...


class Ferryman:
    """The engine that serves bundles, in this process.

    Args:
        bundle: The model.
        variant: Of the bundle.
        workers: Threads that decode.
        max_queued_tokens: Of all sources with their ends: the queue must take a file at once.
        device: Where it computes.
        max_rows: Hypotheses at a time.

    Raises:
        DeviceError: It cannot compute there.
    """

    def __init__(
        self,
        bundle: Bundle,
        variant: str,
        *,
        workers: int = 1,
        max_queued_tokens: int,
        device: Device = "cpu",
        max_rows: int = 64,
    ) -> None:
        self.name = f"ferryman {variant}"
        self._engine = Engine(
            OnnxRuntime(bundle, threads=1, device=device, variant=variant),
            workers=workers,
            max_rows=max_rows,
            max_queued_tokens=max_queued_tokens,
        )
        self._engine.start()

    def close(self) -> None:
        """Stop the workers."""
        self._engine.close()

    def translate(self, load: Load) -> Sequence[object]:
        """Submit a job for every sentence."""
        search = Search(
            max_tokens=load.target_tokens or MAX_TOKENS,
            # The last of them may be the end: it is counted as one, unlike by CTranslate2.
            min_tokens=load.target_tokens - 1 if load.target_tokens else 0,
            beam_size=load.beam_size,
            length_penalty=LENGTH_PENALTY,
        )
        jobs = [Job(source=source, search=search) for source in load.sources]
        return [
            future.result().hypotheses[0].ids
            for call in load.calls
            for future in self._engine.submit([jobs[i] for i in call])
        ]

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """They are ids already."""
        return [ids for ids in results if isinstance(ids, tuple)]


class CTranslate2:
    """CTranslate2, without scores and without a callback into Python.

    Args:
        directory: Of the converted model.
        bundle: That it was converted from.
        compute_type: What it computes in; with int8 it quantises weights and activations itself.
        workers: Batches that it decodes at the same time, each on a thread.
        device: Where it computes.
    """

    def __init__(
        self,
        directory: Path,
        bundle: Bundle,
        compute_type: ComputeType,
        *,
        workers: int = 1,
        device: Device = "cpu",
    ) -> None:
        self.name = f"CTranslate2 {compute_type}"
        self.setting = Setting(1)
        self._translator: Any = ctranslate2.Translator(
            str(directory),
            device=device,
            compute_type=compute_type,
            inter_threads=workers,
            intra_threads=1,
        )
        size = bundle.manifest.tokens.vocabulary_size
        self._ids = {bundle.tokenizer.piece(i): i for i in range(size)}

    def translate(self, load: Load) -> Sequence[object]:
        """Hand over the sentences of each call, which it sorts by length into batches."""
        return [
            result.hypotheses[0]
            for call in load.calls
            for result in self._translator.translate_batch(
                [load.pieces[i] for i in call],
                max_batch_size=self.setting.max_batch_size,
                batch_type=self.setting.batch_type,
                beam_size=load.beam_size,
                length_penalty=LENGTH_PENALTY,
                patience=1,
                max_decoding_length=load.target_tokens or MAX_TOKENS,
                min_decoding_length=load.target_tokens or 1,
                return_scores=False,
            )
        ]

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """Look the ids of pieces up."""
        return [
            tuple(self._ids[piece] for piece in pieces)
            for pieces in results
            if isinstance(pieces, list)
        ]
