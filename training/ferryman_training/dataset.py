"""What a run reads before its first update: the corpus, tokenized, and the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_training.batching import EpochSampler, TokenPair, tokenize
from ferryman_training.checkpoint import TOKENIZER, load_tokenizer
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import SentencePair, digest, read_pairs
from ferryman_training.errors import CorpusError
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.validation import HeldOut
from ferryman_training.vocabulary import train_tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The two parts of a corpus, ready to use."""

    tokenizer: Tokenizer
    sampler: EpochSampler
    held_out: HeldOut
    dropped: int
    """Training pairs left out because a side is too long or has no tokens."""
    digest: str
    """SHA-256 of the training corpus."""

    @property
    def kept(self) -> int:
        """Training pairs."""
        return len(self.sampler.tokens)

    @property
    def target_tokens(self) -> int:
        """Target tokens of an epoch without augmentation, ends included."""
        return sum(len(pair.target) + 1 for pair in self.sampler.tokens)


def prepare(
    config: TrainingConfig, directory: Path, *, replicas: Replicas, reporter: Reporter
) -> Dataset:
    """Read and tokenize the corpus; train the vocabulary if the directory has none. Writes nothing.

    Raises:
        CorpusError: The corpus cannot be read, has nothing to train on, or cannot fill the
            vocabulary.
        CheckpointError: The directory's tokenizer is damaged.
    """
    with reporter.phase("reading the corpus"):
        fingerprint = digest(config.corpus.train)
        pairs = read_pairs(config.corpus.train)
        valid_pairs = read_pairs(config.corpus.valid)
    tokenizer = _tokenizer(config, directory, pairs, replicas=replicas, reporter=reporter)
    with reporter.phase("tokenizing"):
        tokens = [tokenize(pair, tokenizer) for pair in pairs]
        valid_tokens = [tokenize(pair, tokenizer) for pair in valid_pairs]
    kept = _kept(tokens, config)
    dataset = Dataset(
        tokenizer=tokenizer,
        sampler=EpochSampler(
            pairs=[pairs[i] for i in kept],
            tokens=[tokens[i] for i in kept],
            tokenizer=tokenizer,
            batch_tokens=config.batch.tokens,
            micro_batches=config.batch.micro_batches,
            placeholder_share=config.corpus.placeholder_share,
            max_tokens=config.corpus.max_tokens,
            seed=config.run.seed,
        ),
        held_out=HeldOut(
            pairs=valid_pairs,
            tokens=valid_tokens,
            tokenizer=tokenizer,
            decoded=config.run.validation_sentences,
        ),
        dropped=len(pairs) - len(kept),
        digest=fingerprint,
    )
    reporter.corpus(kept=dataset.kept, dropped=dataset.dropped, target_tokens=dataset.target_tokens)
    return dataset


def _tokenizer(
    config: TrainingConfig,
    directory: Path,
    pairs: Sequence[SentencePair],
    *,
    replicas: Replicas,
    reporter: Reporter,
) -> Tokenizer:
    """Return the tokenizer of the run; the leading process reads or trains it for all."""
    model = b""
    if replicas.leads:
        if (directory / TOKENIZER).exists():
            model = load_tokenizer(directory).model
        else:
            with reporter.phase("training the vocabulary"):
                sentences = (text for pair in pairs for text in (pair.source, pair.target))
                seed = config.run.seed
                model = train_tokenizer(sentences, config.vocabulary, seed=seed).model
    return Tokenizer(replicas.from_leader(model))


def _kept(tokens: Sequence[TokenPair], config: TrainingConfig) -> list[int]:
    """Return the indices of the pairs to train on."""
    longest = config.corpus.max_tokens
    kept = [
        i
        for i, pair in enumerate(tokens)
        if pair.source and pair.target and pair.longest_side <= longest
    ]
    if not kept:
        raise CorpusError(
            f"{config.corpus.train}: no pair is left: every one has a side without tokens or with "
            f"more than corpus.max_tokens = {longest}"
        )
    return kept
