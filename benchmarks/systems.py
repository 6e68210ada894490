"""The two engines behind one interface: token ids in, token ids out, one thread each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import ctranslate2  # type: ignore  # has no types, and is installed for this benchmark only

from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime

Ids = tuple[int, ...]
ComputeType = Literal["float32", "int8"]

MAX_TOKENS: Final = 256
"""The most tokens of a translation, the same for both: CTranslate2 has one limit for a batch."""
LENGTH_PENALTY: Final = 1.0
CANDIDATE_BATCH_SIZES: Final = (16, 32, 64)
"""Batch sizes of CTranslate2 that are tried; each workload is timed with the fastest."""


@dataclass(frozen=True, slots=True)
class Load:
    """Sentences as an engine takes them, prepared before any clock runs."""

    sources: tuple[Ids, ...]
    """Token ids, without the end of the sentence."""
    pieces: tuple[tuple[str, ...], ...]
    """The same as SentencePiece's pieces, which CTranslate2 looks up itself."""
    beam_size: int
    one_by_one: bool
    """Whether each sentence is sent when the one before it is done."""

    @classmethod
    def of(
        cls, bundle: Bundle, sources: Sequence[Ids], *, beam_size: int, one_by_one: bool = False
    ) -> Load:
        """Look the pieces up."""
        pieces = tuple(tuple(map(bundle.tokenizer.piece, source)) for source in sources)
        return cls(tuple(sources), pieces, beam_size, one_by_one)


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
    """The engine that serves bundles, in this process, with one worker.

    Args:
        bundle: The model.
        variant: Of the bundle.
        max_queued_tokens: Of all sources with their ends: the queue must take a file at once.
    """

    def __init__(self, bundle: Bundle, variant: str, *, max_queued_tokens: int) -> None:
        self.name = f"ferryman {variant}"
        self._engine = Engine(
            OnnxRuntime(bundle, threads=1, variant=variant),
            workers=1,
            max_queued_tokens=max_queued_tokens,
        )
        self._engine.start()

    def close(self) -> None:
        """Stop the worker."""
        self._engine.close()

    def translate(self, load: Load) -> Sequence[object]:
        """Submit a job for every sentence."""
        search = Search(
            max_tokens=MAX_TOKENS, beam_size=load.beam_size, length_penalty=LENGTH_PENALTY
        )
        jobs = [Job(source=source, search=search) for source in load.sources]
        if load.one_by_one:
            return [self._engine.submit([job])[0].result().hypotheses[0].ids for job in jobs]
        return [future.result().hypotheses[0].ids for future in self._engine.submit(jobs)]

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """They are ids already."""
        return [ids for ids in results if isinstance(ids, tuple)]


class CTranslate2:
    """CTranslate2 with one thread.

    Args:
        directory: Of the converted model.
        bundle: That it was converted from.
        compute_type: What it computes in; with int8 it quantises weights and activations itself.
    """

    def __init__(self, directory: Path, bundle: Bundle, compute_type: ComputeType) -> None:
        self.name = f"CTranslate2 {compute_type}"
        self.max_batch_size = CANDIDATE_BATCH_SIZES[0]
        self._translator = ctranslate2.Translator(
            str(directory),
            device="cpu",
            compute_type=compute_type,
            inter_threads=1,
            intra_threads=1,
        )
        size = bundle.manifest.tokens.vocabulary_size
        self._ids = {bundle.tokenizer.piece(i): i for i in range(size)}

    def translate(self, load: Load) -> Sequence[object]:
        """Hand over all sentences, which it sorts by length into batches, or one at a time."""
        batches = [[source] for source in load.pieces] if load.one_by_one else [load.pieces]
        return [
            result.hypotheses[0]
            for batch in batches
            for result in self._translator.translate_batch(
                batch,
                max_batch_size=self.max_batch_size,
                beam_size=load.beam_size,
                length_penalty=LENGTH_PENALTY,
                patience=1,
                max_decoding_length=MAX_TOKENS,
            )
        ]

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """Look the ids of pieces up."""
        return [
            tuple(self._ids[piece] for piece in pieces)
            for pieces in results
            if isinstance(pieces, list)
        ]
