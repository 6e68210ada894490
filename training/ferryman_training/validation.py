"""How good a model is on held-out text: loss by teacher forcing, BLEU and chrF by decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sacrebleu
import torch

from ferryman_bundle.tokenizer import PAD, Tokenizer
from ferryman_training.batching import TokenPair, collate
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import decode_greedily
from ferryman_training.loss import SmoothedCrossEntropy
from ferryman_training.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Scores:
    """The result of one validation."""

    loss: float
    """Mean cross-entropy per target token, in nats, without smoothing."""
    bleu: float
    chrf: float
    samples: tuple[tuple[str, str, str], ...]
    """A few sources, translations and references for a person to read."""


@torch.no_grad()
def token_loss(model: Transformer, tokens: Sequence[TokenPair], *, batch_size: int = 50) -> float:
    """Return the mean cross-entropy per target token, in nats."""
    ordered = sorted(tokens, key=lambda p: len(p.target))
    total, count = 0.0, 0
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size])
        mask = batch.target_output != PAD
        hidden = model(batch.source, batch.target_input)[mask]
        _, plain = SmoothedCrossEntropy.apply(
            hidden, model.embedding.weight, batch.target_output[mask], 0.0
        )
        total += float(plain)
        count += int(mask.sum())
    return total / count


def validate(
    model: Transformer,
    pairs: Sequence[SentencePair],
    tokens: Sequence[TokenPair],
    tokenizer: Tokenizer,
    *,
    decoded_sentences: int,
) -> Scores:
    """Score a model in evaluation mode on held-out pairs.

    Args:
        model: In evaluation mode.
        pairs: Held-out pairs, (N,).
        tokens: The same pairs as ids.
        tokenizer: Of the model.
        decoded_sentences: BLEU and chrF come from the first so many pairs.
    """
    chosen = pairs[:decoded_sentences]
    decoded = decode_greedily(model, [p.source for p in tokens[:decoded_sentences]])
    translations = [tokenizer.decode(d.ids) for d in decoded]
    references = [p.target for p in chosen]
    return Scores(
        loss=token_loss(model, tokens),
        bleu=sacrebleu.corpus_bleu(translations, [references]).score,
        chrf=sacrebleu.corpus_chrf(translations, [references]).score,
        samples=tuple(
            (p.source, translation, p.target)
            for p, translation in list(zip(chosen, translations, strict=True))[:3]
        ),
    )
