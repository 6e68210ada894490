"""How well a bundle translates, measured through the engine that will serve it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Quality, SearchSettings
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime
from ferryman_training.corpus import SentencePair

_CHUNK: Final = 256
"""Sentences handed to the engine at a time, well below what its queue takes."""


def measure_quality(
    bundle: Bundle,
    variant: str,
    pairs: Sequence[SentencePair],
    *,
    search: SearchSettings,
    test_set: str,
) -> Quality:
    """Translate a test set and score it.

    Args:
        bundle: The bundle; it need not be on disk.
        variant: Which of its variants translates.
        pairs: Sources and references.
        search: Beam size 1 is greedy search.
        test_set: What the manifest calls the test set.
    """
    translations = _translate(bundle, variant, [pair.source for pair in pairs], search)
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


def _translate(
    bundle: Bundle, variant: str, texts: Sequence[str], search: SearchSettings
) -> list[str]:
    """Translate texts, each as one sentence, cut where the model can read no further."""
    jobs = [_job(bundle, text, search) for text in texts]
    translations: list[str] = []
    with Engine(OnnxRuntime(bundle, variant=variant)) as engine:
        for start in range(0, len(jobs), _CHUNK):
            futures = engine.submit(jobs[start : start + _CHUNK])
            results = [future.result() for future in futures]
            translations += [bundle.tokenizer.decode(r.hypotheses[0].ids) for r in results]
    return translations


def _job(bundle: Bundle, text: str, search: SearchSettings) -> Job:
    """Return the job of translating one text."""
    generation, limits = bundle.manifest.generation, bundle.manifest.limits
    source = bundle.tokenizer.encode(text)[: limits.max_source_tokens]
    limit = generation.length_limit(len(source))
    return Job(
        source=tuple(source),
        search=Search(
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            max_tokens=min(limit, limits.max_target_tokens),
        ),
    )
