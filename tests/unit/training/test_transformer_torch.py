"""The Transformer against `torch.nn.Transformer`, given the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.batching import pad
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer
from ferryman_training.transformer_layers import DecoderLayer, EncoderLayer

EXACT = {"rtol": 1e-10, "atol": 1e-10}
"""Both sides compute in float64; only the order of sums differs."""
VOCABULARY = 30

OPTIONS = [(norm, activation) for norm in ("pre", "post") for activation in ("relu", "gelu")]


def our_model(norm: str, activation: str) -> Transformer:
    config = TransformerConfig(
        encoder_layers=3,
        decoder_layers=2,
        width=12,
        heads=3,
        feed_forward=20,
        dropout=0.0,
        norm=norm,
        activation=activation,
    )
    torch.manual_seed(3)
    model = Transformer(config, VOCABULARY).double().eval()
    for parameter in model.parameters():  # norms and biases must not be ones and zeros here
        nn.init.normal_(parameter, std=0.4)
    return model


def torch_model(ours: Transformer) -> nn.Transformer:
    """Return torch's model with our weights."""
    config = ours.config
    options = {
        "d_model": config.width,
        "nhead": config.heads,
        "dim_feedforward": config.feed_forward,
        "dropout": 0.0,
        "activation": config.activation,
        "batch_first": True,
        "norm_first": config.norm == "pre",
        "dtype": torch.float64,
    }

    def last(norm: nn.Module) -> nn.Module | None:
        return norm if config.norm == "pre" else None

    theirs = nn.Transformer(
        **options,
        custom_encoder=nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**options),
            config.encoder_layers,
            last(ours.encoder_norm),
            enable_nested_tensor=False,
        ),
        custom_decoder=nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**options), config.decoder_layers, last(ours.decoder_norm)
        ),
    )
    for layer, mine in zip(theirs.encoder.layers, ours.encoder, strict=True):
        copy_encoder_layer(layer, mine)
    for layer, mine in zip(theirs.decoder.layers, ours.decoder, strict=True):
        copy_decoder_layer(layer, mine)
    return theirs.eval()


def copy_encoder_layer(theirs: nn.TransformerEncoderLayer, ours: EncoderLayer) -> None:
    copy_attention(theirs.self_attn, ours.attention.qkv, output=ours.attention.output)
    copy_all(
        (theirs.norm1, ours.attention_norm),
        (theirs.norm2, ours.feed_forward_norm),
        (theirs.linear1, ours.feed_forward.expand),
        (theirs.linear2, ours.feed_forward.contract),
    )


def copy_decoder_layer(theirs: nn.TransformerDecoderLayer, ours: DecoderLayer) -> None:
    copy_attention(theirs.self_attn, ours.attention.qkv, output=ours.attention.output)
    cross = ours.cross
    copy_attention(theirs.multihead_attn, cross.query, cross.kv, output=cross.output)
    copy_all(
        (theirs.norm1, ours.attention_norm),
        (theirs.norm2, ours.cross_norm),
        (theirs.norm3, ours.feed_forward_norm),
        (theirs.linear1, ours.feed_forward.expand),
        (theirs.linear2, ours.feed_forward.contract),
    )


@torch.no_grad()
def copy_attention(
    theirs: nn.MultiheadAttention, *projections: nn.Linear, output: nn.Linear
) -> None:
    theirs.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
    theirs.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    copy_all((theirs.out_proj, output))


def copy_all(*modules: tuple[nn.Module, nn.Module]) -> None:
    for theirs, ours in modules:
        theirs.load_state_dict(ours.state_dict())


def random_batch() -> tuple[Tensor, Tensor]:
    generator = np.random.default_rng(4)

    def ids(length: int) -> list[int]:
        return generator.integers(EOS + 1, VOCABULARY, size=length).tolist()

    return pad([[*ids(n), EOS] for n in (6, 3, 9)]), pad([[BOS, *ids(n)] for n in (5, 7, 2)])


def embedded(model: Transformer, ids: Tensor) -> Tensor:
    return model.embed_source(ids, torch.arange(ids.shape[1]))  # source and target are tied


def causal(length: int) -> Tensor:
    return torch.full((length, length), float("-inf"), dtype=torch.float64).triu(1)


@pytest.mark.parametrize(("norm", "activation"), OPTIONS)
def test_the_whole_model_is_torchs(norm, activation):
    model = our_model(norm, activation)
    source, target = random_batch()
    padding = source == PAD
    expected = torch_model(model)(
        embedded(model, source),
        embedded(model, target),
        tgt_mask=causal(target.shape[1]),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    torch.testing.assert_close(model(source, target), expected, **EXACT)


@pytest.mark.parametrize(("norm", "activation"), OPTIONS)
def test_an_encoder_layer_is_torchs(norm, activation):
    model = our_model(norm, activation)
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    for theirs, ours in zip(torch_model(model).encoder.layers, model.encoder, strict=True):
        torch.testing.assert_close(ours(x, None, None), theirs(x), **EXACT)


@pytest.mark.parametrize(("norm", "activation"), OPTIONS)
def test_the_attention_is_torchs(norm, activation):
    model = our_model(norm, activation)
    source, target = random_batch()
    padding = source == PAD
    theirs, seen = torch_model(model), []
    last = theirs.decoder.layers[-1].multihead_attn
    attend = last.forward

    def watched(*arguments, **options):
        options["need_weights"] = True
        result = attend(*arguments, **options)
        seen.append(result[1])
        return result

    last.forward = watched
    theirs(
        embedded(model, source),
        embedded(model, target),
        tgt_mask=causal(target.shape[1]),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    [expected] = seen
    found = model.attention(source, target)
    torch.testing.assert_close(found, expected, **EXACT)
    assert (found[1, :, 4:] == 0).all()


def test_the_gradients_are_torchs():
    model = our_model("post", "relu")
    theirs = torch_model(model)
    source, target = random_batch()
    padding = source == PAD
    model(source, target).square().sum().backward()
    theirs(
        embedded(model, source).detach(),
        embedded(model, target).detach(),
        tgt_mask=causal(target.shape[1]),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    ).square().sum().backward()
    for ours, other in (
        (model.encoder[0].attention.qkv, theirs.encoder.layers[0].self_attn.in_proj_weight),
        (model.decoder[0].attention.qkv, theirs.decoder.layers[0].self_attn.in_proj_weight),
        (model.decoder[1].feed_forward.expand, theirs.decoder.layers[1].linear1.weight),
    ):
        torch.testing.assert_close(ours.weight.grad, other.grad, **EXACT)
