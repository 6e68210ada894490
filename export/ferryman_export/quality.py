"""How well a bundle translates, measured through the engine that will serve it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Quality, SearchSettings
from ferryman_quality import Metric, score
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime

_CHUNK: Final = 256
"""Sentences handed to the engine at a time, well below what its queue takes."""


def quality_of(
    translations: Sequence[str],
    references: Sequence[str],
    *,
    search: SearchSettings,
    test_set: str,
) -> Quality:
    """Score translations that `translate` gave for a test set.

    Args:
        translations: Of a variant.
        references: Of the test set.
        search: That they came from.
        test_set: What the manifest calls the test set.
    """
    bleu = score(Metric.BLEU, translations, references)
    chrf = score(Metric.CHRF, translations, references)
    return Quality(
        test_set=test_set,
        sentences=len(references),
        bleu=round(bleu.value, 2),
        bleu_signature=bleu.signature,
        chrf=round(chrf.value, 2),
        chrf_signature=chrf.signature,
        search=search,
    )


def translate(
    bundle: Bundle,
    texts: Sequence[str],
    *,
    search: SearchSettings,
    variant: str = "fp32",
    shortlist: bool = False,
) -> list[str]:
    """Translate texts, each as one sentence, cut where the model can read no further.

    Args:
        bundle: It need not be on disk.
        texts: Sentences.
        search: Beam size 1 is greedy search.
        variant: Of the bundle.
        shortlist: Whether to choose from the bundle's shortlist only.
    """
    jobs = jobs_for(bundle, texts, search=search, shortlist=shortlist)
    translations: list[str] = []
    with Engine(OnnxRuntime(bundle, variant=variant)) as engine:
        for start in range(0, len(jobs), _CHUNK):
            futures = engine.submit(jobs[start : start + _CHUNK])
            results = [future.result() for future in futures]
            translations += [bundle.tokenizer.decode(r.hypotheses[0].ids) for r in results]
    return translations


def jobs_for(
    bundle: Bundle, texts: Sequence[str], *, search: SearchSettings, shortlist: bool = False
) -> list[Job]:
    """Return the jobs of translating texts; see `translate`."""
    return [_job(bundle, text, search, shortlist=shortlist) for text in texts]


def _job(bundle: Bundle, text: str, search: SearchSettings, *, shortlist: bool) -> Job:
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
            shortlist=shortlist,
        ),
    )
