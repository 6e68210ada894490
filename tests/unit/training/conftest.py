"""A corpus, a tokenizer and a run small enough for a test."""

from __future__ import annotations

import copy
import runpy
import sys
from pathlib import Path

import pytest

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_training.config import TrainingConfig, parse_config
from ferryman_training.corpus_config import VocabularyConfig
from ferryman_training.vocabulary import train_tokenizer

# `whole_runs` is a module of its own, which --import-mode=importlib does not look for.
sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[3]
REVERSAL = runpy.run_path(str(ROOT / "training" / "tasks" / "reversal.py"))

SENTENCES = (
    "The file is in the folder.",
    "The folder is not empty: remove the file first.",
    "Le fichier est dans le dossier.",
    "Le dossier n'est pas vide : supprimez d'abord le fichier.",
    "Opening the file failed, the folder does not exist.",
    "L'ouverture du fichier a échoué, le dossier n'existe pas.",
)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """A tokenizer of English and French with few pieces."""
    config = VocabularyConfig(kind="bpe", size=400, character_coverage=1.0)
    return train_tokenizer(SENTENCES * 4, config, seed=1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder with ``train.tsv`` and ``valid.tsv``: letters and their reversal."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = REVERSAL["sequences"](260, shortest=2, longest=6, seed=1)
    rows = [f"{line}\t{line[::-1]}\n" for line in lines]
    (folder / "train.tsv").write_text("".join(rows[:240]), "utf-8")
    (folder / "valid.tsv").write_text("".join(rows[240:]), "utf-8")
    return folder


@pytest.fixture(scope="session")
def pristine_document(corpus) -> dict:
    """The config of a run of 12 updates over three epochs, as TOML gives it."""
    return {
        "name": "tiny",
        "corpus": {
            "train": str(corpus / "train.tsv"),
            "valid": str(corpus / "valid.tsv"),
            "placeholder_share": 0.3,
            "max_tokens": 32,
        },
        "vocabulary": {"size": 352, "character_coverage": 1.0},
        "model": {
            "encoder_layers": 1,
            "decoder_layers": 1,
            "width": 16,
            "heads": 2,
            "feed_forward": 32,
        },
        "batch": {"tokens": 256, "micro_batches": 2},
        "optimizer": {"kind": "muon", "warmup_steps": 4, "cooldown_steps": 4},
        "run": {
            "steps": 12,
            "precision": "bfloat16",
            "log_every": 3,
            "validate_every": 6,
            "validation_sentences": 4,
            "checkpoint_every": 5,
            "average_last": 3,
            "average_every": 2,
            "threads": 1,
        },
    }


@pytest.fixture
def document(pristine_document) -> dict:
    """The same, for a test to change."""
    return copy.deepcopy(pristine_document)


@pytest.fixture
def config(document) -> TrainingConfig:
    """The same, validated."""
    return parse_config(document, folder=Path(), origin="test")
