"""Rounding a model to the values that its bundle will store."""

from __future__ import annotations

import copy

import torch

from ferryman_bundle.manifest import Storage
from ferryman_bundle.quantization import dequantize, quantize
from ferryman_training.seq2seq import Seq2Seq


def round_weights(model: Seq2Seq, storage: Storage) -> Seq2Seq:
    """Return a copy whose matrices have the values that `storage` keeps.

    All that follows, the graphs and the reference they are held against, is made from the copy.
    A matrix of torch is (out, in), so one scale per row is one per output; the embedding, which is
    the output layer as well, has one per vocabulary entry.
    """
    rounded = copy.deepcopy(model)
    if storage is Storage.FLOAT32:
        return rounded
    with torch.no_grad():
        for parameter in rounded.parameters():
            if storage is Storage.FLOAT16:
                parameter.copy_(parameter.half().float())
            elif parameter.ndim == 2:
                values = dequantize(quantize(parameter.numpy(), axis=0))
                parameter.copy_(torch.from_numpy(values))
    return rounded
