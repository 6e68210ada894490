"""How much memory training needs as its corpus grows, shown on a synthetic one.

    python -m benchmarks.corpus_memory --pairs 10000000 --folder FOLDER

prints a row for each phase. ``RssAnon`` is memory that the process owns and that has to be there;
``RssFile`` is mapped pages, which the kernel drops when memory is wanted. The command fails when
``RssAnon`` ever exceeds ``--limit``.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ferryman_training.config import TrainingConfig, parse_config
from ferryman_training.dataset import Dataset, prepare
from ferryman_training.display import PlainDisplay
from ferryman_training.learner import Learner
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter

_BLOCK: Final = 50_000
"""Pairs that are made together."""
_WORDS: Final = 5_000
"""Different words of each side."""


def write_corpus(path: Path, pairs: int, *, seed: int) -> None:
    """Write pairs of 4 to 12 words and a number, the words as unequal in frequency as real ones."""
    chance = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnoprstuvyz"))
    lexicons = [
        np.array(["".join(chance.choice(letters, chance.integers(2, 9))) for _ in range(_WORDS)])
        for _ in range(2)
    ]
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, pairs, _BLOCK):
            count = min(_BLOCK, pairs - start)
            lengths = chance.integers(4, 13, count)
            # Zipf's law, drawn by its inverse.
            ranks = (np.float64(_WORDS) ** chance.random(int(lengths.sum()))).astype(np.int64) - 1
            ends = np.cumsum(lengths)
            for i, (end, length) in enumerate(zip(ends.tolist(), lengths.tolist(), strict=True)):
                words = ranks[end - length : end]
                source, target = (" ".join(lexicon[words]) for lexicon in lexicons)
                file.write(f"{source} {start + i}\t{target} {start + i}\n")


def memory() -> tuple[int, int]:
    """Return this process's resident memory in bytes: its own, and mapped from files."""
    status = Path("/proc/self/status").read_text("ascii")
    own, mapped = (re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE) for name in _NAMES)
    assert own is not None
    assert mapped is not None
    return int(own[1]) * 1024, int(mapped[1]) * 1024


_NAMES: Final = ("RssAnon", "RssFile")


@dataclass(slots=True)
class Phase:
    """What one part of the work took."""

    name: str
    seconds: float = 0.0
    own: int = 0
    """Greatest RssAnon, in bytes."""
    mapped: int = 0
    """Greatest RssFile, in bytes."""


@dataclass(slots=True)
class Watch:
    """Looks at the memory ten times a second, and knows the phase that it is in."""

    phases: list[Phase] = field(default_factory=lambda: [Phase("start")])
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            phase, (own, mapped) = self.phases[-1], memory()
            phase.own, phase.mapped = max(phase.own, own), max(phase.mapped, mapped)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what the block takes as a phase."""
        phase, began = Phase(name, 0.0, *memory()), time.monotonic()
        self.phases.append(phase)
        yield
        phase.seconds = time.monotonic() - began

    def table(self) -> Table:
        """Return the phases for a person."""
        table = Table("phase", "seconds", "RssAnon MiB", "RssFile MiB")
        for phase in self.phases[1:]:
            table.add_row(
                phase.name,
                f"{phase.seconds:.1f}",
                f"{phase.own / 2**20:.0f}",
                f"{phase.mapped / 2**20:.0f}",
            )
        return table


class _Phases(PlainDisplay):
    """A display that tells a watch which phase begins."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(Console(stderr=True))
        self._watch = watch
        self._began = 0.0

    def phase(self, name: str) -> None:
        self._watch.phases.append(Phase(name, 0.0, *memory()))

    def phase_done(self, name: str, seconds: float) -> None:  # noqa: ARG002
        self._watch.phases[-1].seconds = seconds


def run(
    pairs: int, folder: Path, *, updates: int, batches: int, sample_sentences: int = 100_000
) -> Watch:
    """Make a corpus, read it as a run does, read batches of an epoch, and do some updates.

    Args:
        pairs: Of the corpus.
        folder: Where the corpus and the cache go; what is there is used.
        updates: How many to do.
        batches: Updates of the epoch whose pairs are read without learning from them.
        sample_sentences: What the vocabulary is trained on; SentencePiece holds it in memory.
    """
    torch.set_num_threads(1)
    watch = Watch()
    corpus, valid = folder / f"{pairs}.tsv", folder / "valid.tsv"
    folder.mkdir(parents=True, exist_ok=True)
    with watch.watching():
        if not corpus.exists():
            with watch.phase("writing the corpus"):
                partial = corpus.with_suffix(".partial")
                write_corpus(partial, pairs, seed=1)
                partial.rename(corpus)
        write_corpus(valid, 100, seed=2)
        config = _config(corpus, valid, sample_sentences)
        reporter = Reporter(config, _Phases(watch), log=None)
        dataset = prepare(
            config, folder, cache=folder / "cache", replicas=Replicas(), reporter=reporter
        )
        _use(config, dataset, watch, updates=updates, batches=batches)
    return watch


def _use(
    config: TrainingConfig, dataset: Dataset, watch: Watch, *, updates: int, batches: int
) -> None:
    with watch.phase("planning an epoch"):
        plan = dataset.sampler.epoch(0)
    with watch.phase(f"reading {min(batches, len(plan)):,} of its {len(plan):,} updates"):
        for index in range(min(batches, len(plan))):
            for batch in plan.update(index):
                assert batch
    del plan
    learner = Learner(config, dataset.tokenizer.vocabulary_size, replicas=Replicas())
    with watch.phase(f"planning again, and {updates:,} updates"):
        for planned in dataset.sampler.plan(step=0, epoch=0, done=0, steps=updates):
            learner.update(planned)


def _config(corpus: Path, valid: Path, sample_sentences: int) -> TrainingConfig:
    document = {
        "corpus": {
            "train": str(corpus),
            "valid": str(valid),
            "placeholder_share": 0.05,
            "filters": {"duplicates": "pairs", "numbers": True, "max_words": 50},
        },
        "vocabulary": {"size": 2000, "sample_sentences": sample_sentences},
        "model": {"encoder_layers": 1, "decoder_layers": 1, "width": 64, "feed_forward": 128},
        "run": {"steps": 5_000, "precision": "float32"},
    }
    return parse_config(document, folder=Path(), origin="benchmark")


def main() -> int:
    """Read the command line, run, and print the table; 1 where the limit was exceeded."""
    parser = argparse.ArgumentParser(description="Memory of training on a synthetic corpus.")
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--batches", type=int, default=2_000, help="updates to read besides")
    parser.add_argument("--limit", type=float, default=2.0, help="of RssAnon, in GiB")
    parser.add_argument("--folder", type=Path, help="keep corpus and cache there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ferryman-memory-") as passing:
        folder = options.folder or Path(passing)
        watch = run(options.pairs, folder, updates=options.updates, batches=options.batches)
    console = Console()
    console.print(watch.table())
    most = max(phase.own for phase in watch.phases) / 2**30
    console.print(f"{options.pairs:,} pairs: RssAnon {most:.2f} GiB at most", highlight=False)
    return 1 if most > options.limit else 0


if __name__ == "__main__":
    sys.exit(main())
