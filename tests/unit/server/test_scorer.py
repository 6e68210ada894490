"""The scorer graph: what goes in, what comes out, and that padding stays outside."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ferryman_server.runtime import NoScorerError, Scorer
from ferryman_server.runtime import scorer as scorer_module

SCALE = np.float32(-0.125)


def made_up_graph(*, attends: bool) -> bytes:
    """A graph whose log-probability of a token is its id times SCALE.

    Its attention looks at source tokens in proportion to their ids times their mask.
    """
    nodes = [
        helper.make_node("Cast", ["target_ids"], ["target_floats"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["target_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["target_floats", "kept"], ["masked"]),
        helper.make_node("Mul", ["masked", "scale"], ["token_log_probs"]),
    ]
    outputs = [helper.make_tensor_value_info("token_log_probs", TensorProto.FLOAT, ["B", "T"])]
    if attends:
        nodes += [
            helper.make_node("Mul", ["input_ids", "attention_mask"], ["looked_at"]),
            helper.make_node("Cast", ["looked_at"], ["amounts"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["amounts", "last"], ["total"], keepdims=1),
            helper.make_node("Div", ["amounts", "total"], ["shares"]),
            helper.make_node("Unsqueeze", ["shares", "middle"], ["row"]),
            helper.make_node("Unsqueeze", ["kept", "last"], ["column"]),
            helper.make_node("Mul", ["row", "column"], ["attention"]),
        ]
        outputs.append(
            helper.make_tensor_value_info("attention", TensorProto.FLOAT, ["B", "T", "S"])
        )
    scale = helper.make_tensor("scale", TensorProto.FLOAT, [1], b"\0" * 4, raw=True)
    scale.ClearField("raw_data")
    scale.data_location = TensorProto.EXTERNAL
    scale.external_data.add(key="location", value="weights.safetensors")
    graph = helper.make_graph(
        nodes,
        "scorer",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["B", axis])
            for name, axis in (
                ("input_ids", "S"),
                ("attention_mask", "S"),
                ("target_ids", "T"),
                ("target_mask", "T"),
            )
        ],
        outputs,
        initializer=[
            scale,
            helper.make_tensor("last", TensorProto.INT64, [1], [-1]),
            helper.make_tensor("middle", TensorProto.INT64, [1], [1]),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    return onnx.ModelProto.SerializeToString(
        helper.make_model(graph, opset_imports=opset, ir_version=9)
    )


class MadeUpBundle:
    """As much of a bundle as the scorer reads."""

    def __init__(self, graphs) -> None:
        self.manifest = SimpleNamespace(
            name="made up",
            version="1",
            variants={"fp32": SimpleNamespace(graphs=graphs)},
            tokens=SimpleNamespace(pad=0, bos=2, eos=3),
        )
        self.loaded = 0
        self._graphs = graphs

    def graph(self, name, variant):
        assert variant == "fp32"
        self.loaded += 1
        return self._graphs[name]

    def initializer_values(self, name, variant):
        assert (name, variant) == ("scorer", "fp32")
        return {"scale": np.array([SCALE])}


def test_every_sentence_gets_its_own_scores_and_attention_without_padding():
    bundle = MadeUpBundle({"scorer": made_up_graph(attends=True)})
    sources = [(10, 7), (5,) * 9, (4,)]
    targets = [(8, 9, 10), (), (6,)]
    found = Scorer(bundle).score(sources, targets)
    for source, target, scored in zip(sources, targets, found, strict=True):
        read = np.array([*source, 3], np.float32)
        assert scored.token_log_probs.tolist() == [SCALE * i for i in (2, *target)]
        assert scored.attention.shape == (len(target) + 1, len(source) + 1)
        np.testing.assert_allclose(
            scored.attention, np.tile(read / read.sum(), (len(target) + 1, 1)), rtol=1e-6
        )


def test_a_model_without_attention_has_scores_all_the_same():
    bundle = MadeUpBundle({"scorer": made_up_graph(attends=False)})
    [scored] = Scorer(bundle).score([(5, 6)], [(7,)])
    assert scored.attention is None
    assert scored.token_log_probs.tolist() == [SCALE * 2, SCALE * 7]


def test_the_session_is_made_when_something_is_scored_and_once():
    bundle = MadeUpBundle({"scorer": made_up_graph(attends=True)})
    scorer = Scorer(bundle)
    assert bundle.loaded == 0
    first = scorer.score([(5,)], [(6,)])
    second = scorer.score([(5,)], [(6,)])
    assert bundle.loaded == 1
    assert first[0].attention.tolist() == second[0].attention.tolist()


def test_the_graph_gets_lengths_that_are_multiples_of_eight(monkeypatch):
    widths = []

    class Session:
        def get_outputs(self):
            return [SimpleNamespace(name="token_log_probs")]

        def run(self, names, inputs):
            widths.append({name: array.shape[1] for name, array in inputs.items()})
            return [np.zeros(inputs["target_ids"].shape, np.float32)]

    monkeypatch.setattr(scorer_module, "make_session", lambda *_, **__: Session())
    scorer = Scorer(MadeUpBundle({"scorer": b""}))
    for length in range(20):
        scorer.score([(5,) * length], [(6,) * (19 - length)])
    for length, found in enumerate(widths):
        assert found["input_ids"] == found["attention_mask"] == 8 * (length // 8 + 1)
        assert found["target_ids"] == found["target_mask"] == 8 * ((19 - length) // 8 + 1)


def test_a_bundle_without_the_graph_is_told_at_once():
    with pytest.raises(NoScorerError, match="made up 1 has no scorer graph"):
        Scorer(MadeUpBundle({}))
    with pytest.raises(NoScorerError):
        Scorer(MadeUpBundle({"scorer": b""}), "int8")
