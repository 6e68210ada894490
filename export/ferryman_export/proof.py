"""The evidence for a bundle: what it is held against, what came out, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ferryman_bundle.manifest import GoldenSentence, Parity
from ferryman_export.gate import judge, shortcomings
from ferryman_export.golden import choose_golden_sentences
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.lowered import LoweredVariant
from ferryman_export.parity import measure_parity
from ferryman_export.phases import Phases
from ferryman_export.recipe import Recipe
from ferryman_export.runner import GraphRunner
from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import decode_greedily
from ferryman_training.seq2seq import Seq2Seq

_GOLDEN_SENTENCES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The sentences that a bundle is proved with."""

    parity: Sequence[SentencePair]
    """Real sentences for parity and golden sentences."""
    calibration: Sequence[SentencePair] = ()
    """Sentences of the training corpus, to calibrate int8 with."""
    test: Sequence[SentencePair] = ()
    """The test set for BLEU and chrF; without any, quality is not measured."""
    test_set: str = ""
    """Name of the test set."""
    accept_loss: bool = False
    """Whether graphs that agree too little are written all the same, and say so."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown."""

    parity: Parity
    golden: tuple[GoldenSentence, ...]


def prove(
    model: Seq2Seq,
    checkpoint: Checkpoint,
    lowered: LoweredVariant,
    recipe: Recipe,
    *,
    evidence: Evidence,
    phases: Phases,
) -> Proof:
    """Hold graphs against their model, and choose golden sentences.

    Args:
        model: With the values that the bundle stores.
        checkpoint: That it came from; its tokenizer and limits count here.
        lowered: The graphs.
        recipe: Of the variant, which decides how far they may differ.
        evidence: The sentences to use.
        phases: Shows what is going on.

    Raises:
        ExportError: They do not agree enough, and that was not accepted.
    """
    tokens = [tokenize(pair, checkpoint.tokenizer) for pair in evidence.parity]
    sources = [pair.source for pair in tokens]
    with phases.phase(f"Decoding with the model and {recipe.name}") as found:
        runner = GraphRunner(lowered)
        expected = decode_greedily(model, sources)
        greedy = list(zip(expected, decode_graphs_greedily(runner, sources), strict=True))
        golden = choose_golden_sentences(
            evidence.parity,
            tokens,
            greedy,
            count=_GOLDEN_SENTENCES,
            max_source_tokens=checkpoint.config.corpus.max_tokens,
        )
        same = sum(a.ids == b.ids for a, b in greedy)
        found.append(f"{same} of {len(greedy)} translations are the same")
    with phases.phase("Comparing step by step") as found:
        parity = measure_parity(model, runner, tokens, greedy)
        worst = max(parity.worst_difference.values())
        found.append(f"{parity.steps:,} steps, worst difference {worst:.1e}")
    return Proof(
        judge(parity, shortcomings(parity, recipe), recipe, accept_loss=evidence.accept_loss),
        golden,
    )
