"""The lexicon of a run: learnt once from its corpus, then kept in its directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from ferryman_training.alignment_config import AlignmentConfig
from ferryman_training.batching import TokenPair
from ferryman_training.cooccurrence import Cooccurrence
from ferryman_training.durability import write_atomically
from ferryman_training.errors import CheckpointError
from ferryman_training.lexicon import SOURCE, TARGET, Direction, Lexicon, learn_lexicon
from ferryman_training.parallel_tokens import ParallelTokens
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter

LEXICON: Final = "lexicon.safetensors"

_LEAST: Final = 1e-4
"""Piece pairs that are less likely both ways go: of a corpus of 200,000 pairs six in seven, and
one link in two thousand changes."""


def obtain_lexicon(
    config: AlignmentConfig,
    directory: Path,
    tokens: Sequence[TokenPair],
    vocabulary_size: int,
    *,
    replicas: Replicas,
    reporter: Reporter,
) -> Lexicon:
    """Return the lexicon of a run; the leading process learns it if the directory has none.

    Args:
        config: How to learn it.
        directory: Of the run.
        tokens: The training corpus.
        vocabulary_size: Pieces of the tokenizer.
        replicas: The processes that share the work, all of which call this.
        reporter: Tells a person what is going on.

    Raises:
        CheckpointError: The file in the directory is damaged, or cannot be written.
        ReplicaLostError: Another process has ended.
    """
    path = directory / LEXICON
    if replicas.leads and not path.exists():
        with reporter.phase("learning word links"):
            corpus = ParallelTokens.of(_spread(tokens, config.pairs))
            lexicon = learn_lexicon(
                corpus,
                vocabulary_size,
                passes=config.passes,
                tension=config.tension,
                watch=reporter.links_learnt,
            )
        save_lexicon(lexicon.pruned(_LEAST), path)
    replicas.from_leader(None)  # that is, wait until it is there
    return load_lexicon(path)


def save_lexicon(lexicon: Lexicon, path: Path) -> None:
    """Write a lexicon, in 12 bytes for each piece pair.

    Raises:
        CheckpointError: It could not be written.
    """
    tensors: dict[str, npt.NDArray[Any]] = {
        "offsets": lexicon.pairs.offsets,
        "targets": lexicon.pairs.targets,
        "to_target": lexicon.to_target.table,
        "to_target.null": lexicon.to_target.null,
        "to_source": lexicon.to_source.table,
        "to_source.null": lexicon.to_source.null,
    }
    write_atomically(path, lambda new: safetensors.numpy.save_file(tensors, new))


def load_lexicon(path: Path) -> Lexicon:
    """Read what `save_lexicon` wrote.

    Raises:
        CheckpointError: The file is damaged.
    """
    try:
        tensors = safetensors.numpy.load_file(path)
        return Lexicon(
            Cooccurrence(tensors["offsets"], tensors["targets"]),
            Direction(SOURCE, tensors["to_target"], tensors["to_target.null"]),
            Direction(TARGET, tensors["to_source"], tensors["to_source.null"]),
        )
    except (OSError, SafetensorError, KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"{path}: is damaged ({error}); remove it, and it is learnt again"
        ) from error


def _spread(tokens: Sequence[TokenPair], limit: int) -> Iterator[TokenPair]:
    """Yield at most so many pairs, evenly spread."""
    count = min(len(tokens), limit)
    return (tokens[i * len(tokens) // count] for i in range(count))
