"""Models that have no graphs are refused with every reason."""

from __future__ import annotations

import pytest

from ferryman_export.errors import ExportError
from ferryman_export.transformer_graphs import require_graphs
from ferryman_training.model_config import TransformerConfig


def test_a_model_of_default_choices_has_graphs():
    require_graphs(TransformerConfig(encoder_layers=1, width=8, heads=2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm", "post"),
        ("positions", "learned"),
        ("positions", "rotary"),
        ("activation", "gelu"),
        ("activation", "swiglu"),
        ("tied_embeddings", "output"),
        ("tied_embeddings", "none"),
    ],
)
def test_a_model_of_another_choice_has_none(name, value):
    with pytest.raises(ExportError, match=f'model.{name} is "{value}"'):
        require_graphs(TransformerConfig(**{name: value}))


def test_all_reasons_are_named():
    with pytest.raises(ExportError, match=r"model\.norm .*model\.activation "):
        require_graphs(TransformerConfig(norm="post", activation="gelu"))
