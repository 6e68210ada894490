"""Batches are what a model reads: shifted, padded, of int64."""

from __future__ import annotations

import torch

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.batching import TokenPair, collate, pad, tokenize
from ferryman_training.corpus import SentencePair


def test_collate_shifts_the_target_by_one_and_pads_on_the_right():
    batch = collate([TokenPair((5, 6, 7), (8,)), TokenPair((5,), (8, 9))])
    assert batch.source.tolist() == [[5, 6, 7, EOS], [5, EOS, PAD, PAD]]
    assert batch.target_input.tolist() == [[BOS, 8, PAD], [BOS, 8, 9]]
    assert batch.target_output.tolist() == [[8, EOS, PAD], [8, 9, EOS]]
    assert batch.source.dtype == pad([[1]]).dtype == torch.int64


def test_both_sides_are_tokenized_alike(tokenizer):
    pair = tokenize(SentencePair("the file", "le fichier"), tokenizer)
    assert pair == TokenPair(
        tuple(tokenizer.encode("the file")), tuple(tokenizer.encode("le fichier"))
    )
    assert pair.longest_side == max(len(pair.source), len(pair.target))
