"""A lexicon on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import safetensors.numpy

from ferryman_training.cooccurrence import Cooccurrence
from ferryman_training.lexicon import SOURCE, TARGET, Direction, Lexicon

_FILE: Final = "lexicon.safetensors"


def save_lexicon(lexicon: Lexicon, folder: Path) -> None:
    """Write a lexicon into a folder, in 12 bytes for each piece pair."""
    tensors: dict[str, npt.NDArray[Any]] = {
        "offsets": lexicon.pairs.offsets,
        "targets": lexicon.pairs.targets,
        "to_target": lexicon.to_target.table,
        "to_target.null": lexicon.to_target.null,
        "to_source": lexicon.to_source.table,
        "to_source.null": lexicon.to_source.null,
    }
    safetensors.numpy.save_file(tensors, folder / _FILE)


def load_lexicon(folder: Path) -> Lexicon:
    """Read what `save_lexicon` wrote into a folder."""
    tensors = safetensors.numpy.load_file(folder / _FILE)
    return Lexicon(
        Cooccurrence(tensors["offsets"], tensors["targets"]),
        Direction(SOURCE, tensors["to_target"], tensors["to_target.null"]),
        Direction(TARGET, tensors["to_source"], tensors["to_source.null"]),
    )
