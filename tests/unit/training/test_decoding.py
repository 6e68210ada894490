"""Greedy decoding against one pass over the whole target."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.decoding import NEVER_GENERATED, decode_greedily, length_limit
from ferryman_training.model_config import RecurrentConfig, TransformerConfig
from ferryman_training.seq2seq import Seq2Seq, build_model

SOURCES = [[5, 6, 7], [8], [9, 10, 11, 12, 5, 6], [7, 7]]


CONFIGS = (
    TransformerConfig(encoder_layers=1, decoder_layers=2, width=8, heads=2, feed_forward=16),
    RecurrentConfig(width=8, input_feeding=True, tied_embeddings=False),
    RecurrentConfig(width=8, cell="gru", attention="none", tied_embeddings=False),
)


@pytest.fixture(params=itertools.product(CONFIGS, (1, 2, 6)), ids=lambda p: f"{p[0].family}-{p[1]}")
def model(request) -> Seq2Seq:
    """A random model; some seeds end their sentences, others run into the limit."""
    config, seed = request.param
    torch.manual_seed(seed)
    model = build_model(config, 14).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7)
    return model


def test_every_token_is_the_likeliest_given_those_before(model):
    for source, decoded in zip(SOURCES, decode_greedily(model, SOURCES), strict=True):
        ids = [*decoded.ids, EOS] if decoded.finished else list(decoded.ids)
        hidden = model(torch.tensor([[*source, EOS]]), torch.tensor([[BOS, *ids[:-1]]]))
        scores = torch.log_softmax(model.logits(hidden)[0].float(), dim=-1)
        allowed = scores.clone()
        allowed[:, list(NEVER_GENERATED)] = float("-inf")
        assert allowed.argmax(-1).tolist() == ids
        chosen = scores.gather(1, torch.tensor(ids)[:, None]).sum().item()
        assert decoded.log_probability == pytest.approx(chosen, abs=1e-4)


def test_company_and_order_change_nothing(model):
    together = decode_greedily(model, SOURCES)
    alone = [decode_greedily(model, [source])[0] for source in SOURCES]
    assert [d.ids for d in together] == [d.ids for d in alone]
    assert decode_greedily(model, SOURCES[::-1], batch_size=2)[::-1] == together


def test_a_translation_that_does_not_end_is_cut_at_its_own_limit(model):
    with torch.no_grad():
        # EOS becomes the least likely of all tokens, whatever the state.
        if model.output_bias is not None:
            model.output_bias[EOS] = -1e9
        else:
            model.decoder_norm.weight.zero_()
            model.decoder_norm.bias.copy_(-model.output_weight[EOS] * 50)
    decoded = decode_greedily(model, SOURCES)
    assert not any(d.finished for d in decoded)
    assert [len(d.ids) for d in decoded] == [length_limit(len(source)) for source in SOURCES]


def test_nothing_in_is_nothing_out(model):
    assert decode_greedily(model, []) == []
