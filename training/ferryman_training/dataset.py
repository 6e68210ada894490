"""What a run reads before its first update: the corpus, tokenized, and the vocabulary."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_training.batching import tokenize
from ferryman_training.cache import Cache
from ferryman_training.checkpoint import TOKENIZER, load_tokenizer
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import digest, read_pairs
from ferryman_training.corpus_config import CorpusPart
from ferryman_training.durability import write_atomically
from ferryman_training.filters import DropReport
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.sampler import EpochSampler
from ferryman_training.text_store import TextStore
from ferryman_training.token_store import TokenStore
from ferryman_training.validation import HeldOut
from ferryman_training.variation import Variation
from ferryman_training.vocabulary import train_tokenizer

_CACHE: Final = "cache"
_REPORT: Final = "corpus.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The two parts of a corpus, ready to use."""

    tokenizer: Tokenizer
    sampler: EpochSampler
    held_out: HeldOut
    parts: tuple[CorpusPart, ...]
    """Of the training corpus."""
    report: DropReport
    """Which training pairs were left out, and why."""
    digest: str
    """Of the training corpus; see `corpus.digest`."""

    @property
    def kept(self) -> int:
        """Training pairs."""
        return len(self.sampler.tokens)

    @property
    def dropped(self) -> int:
        """Training pairs left out."""
        return self.report.total

    @property
    def target_tokens(self) -> int:
        """Target tokens of an epoch without variation, ends included."""
        return self.sampler.target_tokens

    def save_report(self, directory: Path) -> None:
        """Write what the corpus is and what was left out of it, with an example of each fault.

        Raises:
            CheckpointError: It could not be written.
        """
        document = self.report.as_document()
        for entry in document["dropped"]:
            entry["example"] = _located(entry["example"], self.parts)
        document = {
            "parts": [
                {"files": [str(file) for file in part.files], "weight": part.weight, "pairs": pairs}
                for part, pairs in zip(self.parts, self._pairs_of_parts(), strict=True)
            ],
            "kept": self.kept,
            **document,
        }
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        write_atomically(directory / _REPORT, lambda path: path.write_text(text, "utf-8"))

    def _pairs_of_parts(self) -> list[int]:
        ends = self.sampler.tokens.part_ends
        return [end - start for start, end in zip((0, *ends), ends, strict=False)]


def prepare(
    config: TrainingConfig,
    directory: Path,
    *,
    cache: Path,
    replicas: Replicas,
    reporter: Reporter,
) -> Dataset:
    """Read and tokenize the corpus; train the vocabulary if the directory has none.

    Args:
        config: The run.
        directory: Of the run; nothing is written into it.
        cache: Where the corpus is kept in tokens; see `cache_of` and `passing_cache`.
        replicas: The processes that share the work, all of which call this.
        reporter: Tells a person what is going on.

    Raises:
        CorpusError: The corpus cannot be read, has nothing to train on, or cannot fill the
            vocabulary; or the cache cannot be written.
        CheckpointError: The directory's tokenizer is damaged.
    """
    corpus, entries = config.corpus, Cache(cache)
    with reporter.phase("reading the corpus"):
        fingerprint = replicas.from_leader(digest(corpus.train) if replicas.leads else "")
        texts = TextStore.obtain(entries, corpus.train, corpus.filters, digest=fingerprint)
        valid_pairs = read_pairs(corpus.valid)
    tokenizer = _tokenizer(config, directory, texts, replicas=replicas, reporter=reporter)
    with reporter.phase("tokenizing"):
        tokens = TokenStore.obtain(entries, texts, tokenizer, max_tokens=corpus.max_tokens)
        valid_tokens = [tokenize(pair, tokenizer) for pair in valid_pairs]
    dataset = Dataset(
        tokenizer=tokenizer,
        sampler=EpochSampler(
            tokens=tokens,
            weights=tuple(part.weight for part in corpus.train),
            variation=_variation(config, texts, tokenizer, cache),
            batch_tokens=config.batch.tokens,
            micro_batches=config.batch.micro_batches,
            seed=config.run.seed,
        ),
        held_out=HeldOut(
            pairs=valid_pairs,
            tokens=valid_tokens,
            tokenizer=tokenizer,
            decoded=config.run.validation_sentences,
        ),
        parts=corpus.train,
        report=texts.report.with_later(tokens.report),
        digest=fingerprint,
    )
    reporter.corpus(
        kept=dataset.kept,
        dropped={str(fault): count for fault, count in dataset.report.dropped.items()},
        target_tokens=dataset.target_tokens,
    )
    return dataset


def cache_of(config: TrainingConfig, directory: Path) -> Path:
    """Return where the corpus of a run is kept in tokens."""
    return Path(config.corpus.cache) if config.corpus.cache else directory / _CACHE


@contextmanager
def passing_cache(config: TrainingConfig, replicas: Replicas) -> Iterator[Path]:
    """Give a run that is to leave nothing behind a cache: the config's own, or one that passes."""
    if config.corpus.cache:
        yield Path(config.corpus.cache)
        return
    with tempfile.TemporaryDirectory(prefix="ferryman-corpus-") as folder:
        yield Path(replicas.from_leader(folder))


def _tokenizer(
    config: TrainingConfig,
    directory: Path,
    texts: TextStore,
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
                seed = config.run.seed
                model = train_tokenizer(texts.sentences(), config.vocabulary, seed=seed).model
    return Tokenizer(replicas.from_leader(model))


def _variation(
    config: TrainingConfig, texts: TextStore, tokenizer: Tokenizer, cache: Path
) -> Variation | None:
    """Return how pairs vary from epoch to epoch, if they do."""
    variation = Variation(
        texts=texts,
        tokenizer=tokenizer,
        placeholder_share=config.corpus.placeholder_share,
        sampling=config.vocabulary.sampling,
        max_tokens=config.corpus.max_tokens,
        seed=config.run.seed,
        scratch=cache,
    )
    return variation if variation.varies else None


def _located(example: dict[str, Any], parts: tuple[CorpusPart, ...]) -> dict[str, Any]:
    """Return an example with its file and line in one."""
    where = parts[example["part"]].where(example["line"])
    return {"where": where, "source": example["source"], "target": example["target"]}
