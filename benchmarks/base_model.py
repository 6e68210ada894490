"""Makes a model of the size "base" with random weights, as a checkpoint and as a bundle.

Speed depends on the shapes of the weights, not on their values, so it can be measured without weeks
of training. Nothing that such a model says means anything, and nothing ends its sentences: whoever
times it gives every target a length.

Run it from the root of the repository; it takes a minute or two:

    python -m benchmarks.base_model OUT       # writes OUT/checkpoint and OUT/bundle
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer
from rich.console import Console
from sentencepiece import sentencepiece_model_pb2

from benchmarks.loads import RANDOM
from ferryman_bundle.manifest import SearchSettings, Storage
from ferryman_bundle.tokenizer import RESERVED, Tokenizer
from ferryman_export.build import build_bundle
from ferryman_export.description import Description
from ferryman_export.phases import Phases
from ferryman_export.proof import Evidence
from ferryman_export.recipe import FP16, FP32, INT8
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import SentencePair
from ferryman_training.progress import Progress
from ferryman_training.seq2seq import build_model

_LETTERS: Final = 8
"""Of every word. All are equally long, so text is cut into the words that it was made of."""
_SEED: Final = 1
_EMBEDDING_SCALE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a Transformer; "base" unless told otherwise."""

    encoder_layers: int = 6
    decoder_layers: int = 6
    width: int = 512
    heads: int = 8
    feed_forward: int = 2048
    vocabulary: int = 32_000


BASE: Final = Size()


def main(out: Annotated[Path, typer.Argument(help="A folder, made if it is missing.")]) -> None:
    """Make a Transformer of 6 + 6 layers, width 512, with random weights, and export it."""
    checkpoint = random_checkpoint(BASE, _SEED)
    checkpoint.save(out / "checkpoint")
    export(checkpoint, out / "bundle", Phases(Console(stderr=True)))


def random_checkpoint(size: Size, seed: int) -> Checkpoint:
    """Return a model whose tensors are all random, and all different.

    torch starts biases at 0 and normalisations at 1. Equal tensors are one tensor in a bundle, and
    then a converter cannot tell which layer they are of. And with embeddings as large as torch's
    the likeliest token is always the one before: it is looked up in the matrix that it came from.
    """
    torch.manual_seed(seed)
    config = TrainingConfig.model_validate(
        {
            "name": RANDOM,
            "corpus": {
                "source_language": "en",
                "target_language": "fr",
                "train": ["none.tsv"],
                "valid": "none.tsv",
            },
            "vocabulary": {"size": size.vocabulary},
            "model": {
                "family": "transformer",
                "encoder_layers": size.encoder_layers,
                "decoder_layers": size.decoder_layers,
                "width": size.width,
                "heads": size.heads,
                "feed_forward": size.feed_forward,
            },
        }
    )
    weights = build_model(config.model, size.vocabulary).state_dict()
    for name, weight in weights.items():
        if weight.dim() == 1:
            torch.nn.init.normal_(weight, mean=float("norm.weight" in name), std=0.05)
    weights["embedding.weight"].mul_(_EMBEDDING_SCALE)
    return Checkpoint(config, _tokenizer(size.vocabulary, seed), weights, Progress())


def export(checkpoint: Checkpoint, directory: Path, phases: Phases) -> None:
    """Export a model that was never trained, in float32 and int8.

    Random weights hardly tell tokens apart, so int8 may well choose others than float32: that is
    accepted. The scales of its activations are those of random sentences.
    """
    rng = random.Random(_SEED)
    pieces = range(_words_begin(), checkpoint.tokenizer.vocabulary_size)

    def sentence(tokens: int) -> str:
        return checkpoint.tokenizer.decode(rng.choices(pieces, k=tokens))

    build_bundle(
        checkpoint,
        directory,
        description=Description(
            name=RANDOM,
            version="0",
            description="Random weights, to measure speed with: it translates nothing.",
            licence="Apache-2.0",
            licence_text="Random numbers.\n",
            data=None,
        ),
        storage=Storage.INT8,
        recipes=[FP32, INT8, FP16],
        search=SearchSettings(beam_size=4, length_penalty=1.0),
        evidence=Evidence(
            parity=[SentencePair(sentence(3), sentence(3)) for _ in range(4)],
            calibration=[SentencePair(sentence(24), sentence(24)) for _ in range(32)],
            accept_loss=True,
        ),
        phases=phases,
    )


def _words_begin() -> int:
    """Return the id of the first made-up word."""
    return 4 + len(RESERVED) + 256


def _tokenizer(size: int, seed: int) -> Tokenizer:
    """Return a vocabulary of made-up words, laid out like one that was trained."""
    protos: Any = sentencepiece_model_pb2  # generated at run time, so it has no types
    model = protos.ModelProto()
    kinds = protos.ModelProto.SentencePiece
    special = zip(("<pad>", "<unk>", "<s>", "</s>"), (3, 2, 3, 3), strict=True)
    for piece, kind in special:
        model.pieces.add(piece=piece, score=0, type=kind)
    for piece in RESERVED:
        model.pieces.add(piece=piece, score=0, type=kinds.USER_DEFINED)
    for byte in range(256):
        model.pieces.add(piece=f"<0x{byte:02X}>", score=0, type=kinds.BYTE)
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < size - _words_begin():
        words["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=_LETTERS))] = None
    for word in words:
        model.pieces.add(piece=f"▁{word}", score=-10, type=kinds.NORMAL)
    trainer = model.trainer_spec
    trainer.model_type = protos.TrainerSpec.UNIGRAM
    trainer.vocab_size, trainer.byte_fallback = size, True
    trainer.pad_id, trainer.unk_id, trainer.bos_id, trainer.eos_id = 0, 1, 2, 3
    return Tokenizer(model.SerializeToString())


if __name__ == "__main__":
    typer.run(main)
