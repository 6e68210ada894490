"""How good a model is on held-out text: loss by teacher forcing, BLEU and chrF by decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ferryman_bundle.tokenizer import PAD, Tokenizer
from ferryman_quality import Metric, score
from ferryman_training.batching import TokenPair, collate
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import decode_greedily
from ferryman_training.guided_alignment import Agreement, measure_agreement
from ferryman_training.links import WordLinker
from ferryman_training.loss import smoothed_cross_entropy
from ferryman_training.model_config import ModelConfig
from ferryman_training.replicas import Replicas
from ferryman_training.seq2seq import Seq2Seq, build_model


@dataclass(frozen=True, slots=True)
class Sample:
    """One translation for a person to read."""

    source: str
    translation: str
    reference: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The result of one validation."""

    loss: float
    """Mean cross-entropy per target token, in nats, without smoothing."""
    bleu: float
    """sacreBLEU's default: 13a tokens, case kept, exponential smoothing; 0 to 100."""
    chrf: float
    """chrF2; 0 to 100."""
    samples: tuple[Sample, ...]
    agreement: Agreement | None = None
    """Of the aligned head with word links; None for a model that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Pairs that are never trained on."""

    pairs: Sequence[SentencePair]
    tokens: Sequence[TokenPair]
    """The same pairs as ids, without reserved pieces."""
    tokenizer: Tokenizer
    decoded: int
    """BLEU and chrF come from the first so many pairs."""

    def score(
        self,
        weights: Mapping[str, Tensor],
        config: ModelConfig,
        *,
        device: torch.device,
        replicas: Replicas,
        linker: WordLinker | None = None,
    ) -> Scores:
        """Score weights in float32; the processes share the work and all get the result.

        Args:
            weights: Of a model, by parameter name.
            config: Of the model.
            device: Where to compute.
            replicas: The processes, all of which call this.
            linker: Links words, for a model that has an aligned head.
        """
        with torch.random.fork_rng(devices=[]):
            model = build_model(config, self.tokenizer.vocabulary_size)
        model.load_state_dict(weights)
        model.to(device).eval()
        mine = [self.tokens[i] for i in replicas.share(len(self.tokens))]
        totals = torch.tensor(token_loss(model, mine), dtype=torch.float64)
        replicas.sum(totals)
        loss, count = totals.tolist()
        translations = self._translate(model, replicas)
        chosen = self.pairs[: self.decoded]
        references = [pair.target for pair in chosen]
        return Scores(
            loss=loss / count,
            bleu=score(Metric.BLEU, translations, references).value,
            chrf=score(Metric.CHRF, translations, references).value,
            samples=tuple(
                Sample(pair.source, translation, pair.target)
                for pair, translation in zip(chosen, translations, strict=True)
            ),
            agreement=None if linker is None else _agreement(model, mine, linker, replicas),
        )

    def _translate(self, model: Seq2Seq, replicas: Replicas) -> list[str]:
        """Return greedy translations of the first `decoded` pairs, in their order."""
        sources = [pair.source for pair in self.tokens[: self.decoded]]
        mine = replicas.share(len(sources))
        decoded = decode_greedily(model, [sources[i] for i in mine])
        texts = [self.tokenizer.decode(d.ids) for d in decoded]
        found = {
            i: text
            for part in replicas.gather(dict(zip(mine, texts, strict=True)))
            for i, text in part.items()
        }
        return [found[i] for i in range(len(sources))]


def _agreement(
    model: Seq2Seq, tokens: Sequence[TokenPair], linker: WordLinker, replicas: Replicas
) -> Agreement:
    """Return the agreement over the tokens of all processes."""
    mine = measure_agreement(model, tokens, linker)
    return sum(replicas.gather(mine), start=Agreement())


@torch.no_grad()
def token_loss(
    model: Seq2Seq, tokens: Sequence[TokenPair], *, batch_size: int = 50
) -> tuple[float, int]:
    """Return the cross-entropy in nats, summed over target tokens, and how many those are."""
    device = model.output_weight.device
    ordered = sorted(tokens, key=lambda pair: len(pair.target))
    total, count = 0.0, 0
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size]).to(device)
        counts = batch.target_output != PAD
        _, plain = smoothed_cross_entropy(
            model(batch.source, batch.target_input)[counts],
            model.output_weight,
            batch.target_output[counts],
            bias=model.output_bias,
            smoothing=0.0,
        )
        total += float(plain)
        count += int(counts.sum())
    return total, count
