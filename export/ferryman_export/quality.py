"""How well a bundle translates, measured through the engine that will serve it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Quality, SearchSettings
from ferryman_training.corpus import SentencePair

if TYPE_CHECKING:
    from ferryman_server.engine import Engine

_CHUNK: Final = 256
"""Sentences handed to the engine at a time, well below what its queue takes."""


def measure_quality(
    bundle: Bundle, pairs: Sequence[SentencePair], *, search: SearchSettings, test_set: str
) -> Quality:
    """Translate a test set and score it.

    Args:
        bundle: The bundle; it need not be on disk.
        pairs: Sources and references.
        search: Beam size 1 is greedy search.
        test_set: What the manifest calls the test set.
    """
    translations = _translate(bundle, [pair.source for pair in pairs], search)
    references = [[pair.target for pair in pairs]]
    bleu, chrf = BLEU(), CHRF()
    return Quality(
        test_set=test_set,
        sentences=len(pairs),
        bleu=round(bleu.corpus_score(translations, references).score, 2),
        bleu_signature=str(bleu.get_signature()),
        chrf=round(chrf.corpus_score(translations, references).score, 2),
        chrf_signature=str(chrf.get_signature()),
        search=search,
    )


def _translate(bundle: Bundle, texts: Sequence[str], search: SearchSettings) -> list[str]:
    """Translate texts as single sentences, in order."""
    from ferryman_server.engine import Job, Search

    generation = bundle.manifest.generation
    jobs = []
    for text in texts:
        source = tuple(bundle.tokenizer.encode(text))
        limit = int(generation.max_length_ratio * len(source)) + generation.max_length_offset
        jobs.append(
            Job(
                source=source,
                search=Search(
                    beam_size=search.beam_size,
                    length_penalty=search.length_penalty,
                    max_tokens=limit,
                ),
                deadline=None,
            )
        )
    translations: list[str] = []
    with _running_engine(bundle) as engine:
        for start in range(0, len(jobs), _CHUNK):
            futures = engine.submit(jobs[start : start + _CHUNK])
            results = [future.result() for future in futures]
            translations += [bundle.tokenizer.decode(r.hypotheses[0].ids) for r in results]
    return translations


@contextmanager
def _running_engine(bundle: Bundle) -> Iterator[Engine]:
    """Give an engine that serves the bundle."""
    from ferryman_server.engine import Engine
    from ferryman_server.runtime import OnnxRuntime

    engine = Engine(OnnxRuntime(bundle))
    engine.start()
    try:
        yield engine
    finally:
        engine.close()
