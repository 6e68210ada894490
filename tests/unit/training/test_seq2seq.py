"""The interface that every family obeys, and how a model is built from its config."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import pad
from ferryman_training.model_config import RecurrentConfig, TransformerConfig
from ferryman_training.recurrent import Recurrent
from ferryman_training.seq2seq import Seq2Seq, build_model
from ferryman_training.transformer import Transformer

VOCABULARY = 30
CONFIGS = {
    "transformer": TransformerConfig(width=8, heads=2, feed_forward=12, dropout=0.3),
    "recurrent": RecurrentConfig(width=8, dropout=0.3),
    "recurrent, fed": RecurrentConfig(width=8, input_feeding=True, dropout=0.3),
    "recurrent, untied": RecurrentConfig(width=8, attention="bahdanau", tied_embeddings=False),
    "recurrent, no attention": RecurrentConfig(width=8, cell="gru", attention="none"),
}
SOURCE = pad([[7, 8, 9, EOS], [10, EOS]])
TARGET = pad([[BOS, 5], [BOS, 6, 11, 12]])


@pytest.fixture(params=CONFIGS)
def model(request, seed) -> Seq2Seq:
    torch.manual_seed(seed)
    return build_model(CONFIGS[request.param], VOCABULARY).eval()


def tensors(value: object) -> list[Tensor]:
    """Return every tensor in a NamedTuple of tensors and tuples of them."""
    if isinstance(value, Tensor):
        return [value]
    assert isinstance(value, tuple)
    return [tensor for part in value for tensor in tensors(part)]


@pytest.mark.parametrize(
    ("config", "family"),
    [(TransformerConfig(), Transformer), (RecurrentConfig(), Recurrent)],
    ids=["transformer", "recurrent"],
)
def test_the_config_decides_the_family(config, family):
    model = build_model(config, VOCABULARY)
    assert type(model) is family
    assert model.config == config


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_same_seed_gives_the_same_weights(config):
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(build_model(config, VOCABULARY).state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert any(not torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


def test_every_weight_has_one_name(model):
    """Else the masters, kept by name of parameter, would lack entries of a checkpoint."""
    assert list(model.state_dict()) == [name for name, _ in model.named_parameters()]


def test_the_output_layer_is_the_weight_and_bias_that_the_loss_takes(model):
    hidden = torch.randn(3, 2, 8)
    expected = hidden @ model.output_weight.T
    if model.output_bias is not None:
        expected = expected + model.output_bias
    torch.testing.assert_close(model.logits(hidden), expected)
    assert model.output_weight.shape == (VOCABULARY, 8)


def test_embeddings_are_the_vectors_of_all_tokens(model):
    tied = model.source_embedding is model.target_embedding
    assert tied == (model.output_weight is model.target_embedding.weight)
    for embedding in (model.source_embedding, model.target_embedding):
        assert (embedding.num_embeddings, embedding.embedding_dim) == (VOCABULARY, 8)


def test_axis_0_of_memory_and_state_is_the_row(model):
    memory = model.encode(SOURCE)
    state = model.initial_state(memory)
    logits, state = model.step(TARGET[:, 0], memory, state)
    assert logits.shape == (2, VOCABULARY)
    for tensor in [*tensors(memory), *tensors(state), *tensors(model.initial_state(memory))]:
        assert tensor.shape[0] == 2


def test_forward_attention_and_steps_agree_on_shapes_and_logits(model):
    hidden = model(SOURCE, TARGET)
    assert hidden.shape == (2, 4, 8)
    weights = model.attention(SOURCE, TARGET)
    assert weights is None or weights.shape == (2, 4, 4)
    memory = model.encode(SOURCE)
    state = model.initial_state(memory)
    for t in range(4):
        logits, state = model.step(TARGET[:, t], memory, state)
        # float32, a handful of sums apart.
        torch.testing.assert_close(logits, model.logits(hidden[:, t]), atol=1e-5, rtol=1e-4)


def test_dropout_is_for_training_alone(model):
    assert torch.equal(model(SOURCE, TARGET), model(SOURCE, TARGET))
    model.train()
    assert not torch.equal(model(SOURCE, TARGET), model(SOURCE, TARGET))


def test_it_computes_in_bfloat16_and_close_to_float32(model):
    exact = model(SOURCE, TARGET)
    model.to(torch.bfloat16)
    rounded = model(SOURCE, TARGET)
    assert rounded.dtype == torch.bfloat16
    # bfloat16 keeps 8 bits; hidden states are about 1 in size and a few layers deep.
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.05)
