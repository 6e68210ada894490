"""Choosing from a shortlist: what the graph computes, and that company changes no bit of it.

The lists are drawn at random, so those of a batch overlap in part, as those of real text do, and
differ in length.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ferryman_bundle import Bundle
from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.manifest import SHORTLIST, GraphEntry, Shortlist
from ferryman_bundle.tokenizer import EOS
from ferryman_export.graphs import model_graphs
from ferryman_export.lowering import lower
from ferryman_export.recipe import FP32, INT8
from ferryman_export.variants import make_projections, weight_store
from ferryman_server.engine import Engine, Job, Sampling, Search
from ferryman_server.engine.invariance import certify, searches_for
from ferryman_server.runtime import OnnxRuntime
from ferryman_training.batching import tokenize
from ferryman_training.corpus import read_pairs

SAMPLE = Path(__file__).parents[1] / "data" / "sample.en-fr.tsv"
PATIENCE = 120
"""Seconds."""
GRAPH = "step_shortlist"


def drawn_lists(seed, size):
    """20 tokens for everybody, and 0 to 40 for each source token."""
    draw = np.random.default_rng(seed)
    always = np.union1d(draw.choice(np.arange(4, size), 20, replace=False), [EOS])
    own = [
        np.sort(draw.choice(np.arange(4, size), draw.integers(0, 40), replace=False))
        for _ in range(size)
    ]
    return LexicalShortlist(
        always=always.astype(np.int32),
        offsets=np.cumsum([0, *map(len, own)]).astype(np.int32),
        targets=np.concatenate(own).astype(np.int32),
    )


def everything(size):
    """The whole vocabulary for every source."""
    return LexicalShortlist(
        always=np.arange(size, dtype=np.int32),
        offsets=np.zeros(size + 1, np.int32),
        targets=np.zeros(0, np.int32),
    )


class Traced(NamedTuple):
    """The graphs that the variants of a bundle get beside those that they have."""

    files: dict[str, bytes]
    entries: dict[str, GraphEntry]
    """By variant."""


@pytest.fixture(scope="module")
def traced(bundle, model):
    store = weight_store(model)
    for name, tensor in bundle.tensors().items():
        store.place(name, tensor)
    # As for the other graphs of the bundle, so that all of int8 round alike.
    examples = read_pairs(SAMPLE)
    examples = examples[:: max(1, len(examples) // 300)][:300]
    calibration = [tokenize(pair, bundle.tokenizer) for pair in examples]
    files, entries = {}, {}
    for recipe in (FP32, INT8):
        made = model_graphs(
            model, recipe, make_projections(recipe, model, calibration), shortlist=True
        )
        lowered = lower({GRAPH: made.graphs[GRAPH]}, store, opset=recipe.opset)[GRAPH]
        columns = made.columns.get(GRAPH, {})
        file = f"{GRAPH}.{recipe.name}.onnx"
        files[file] = lowered.file
        entries[recipe.name] = GraphEntry(
            file=file,
            initializers=lowered.initializers,
            columns={name: store.place(name, array) for name, array in columns.items()},
        )
    assert store.tensors.keys() == bundle.manifest.weights.keys(), "it adds nothing to the file"
    return Traced(files, entries)


def with_lists(bundle, traced, lists):
    """Return a bundle with these lists."""
    variants = {
        name: variant.model_copy(update={"graphs": {**variant.graphs, GRAPH: traced.entries[name]}})
        for name, variant in bundle.manifest.variants.items()
        if name in traced.entries
    }
    section = Shortlist(file=SHORTLIST, max_candidates=600, bleu_cost=None)
    contents = {**bundle.contents, **traced.files, SHORTLIST: lists.pack()}
    manifest = bundle.manifest.model_copy(update={"variants": variants, "shortlist": section})
    return Bundle(manifest, bundle.tokenizer, contents)


@pytest.fixture(scope="module")
def lists(request, bundle):
    return drawn_lists(request.config.option.seed, bundle.manifest.tokens.vocabulary_size)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def runtime(request, bundle, traced, lists):
    return OnnxRuntime(with_lists(bundle, traced, lists), variant=request.param)


@pytest.fixture(scope="module")
def sources(request, bundle):
    """48 sources of 1 to 90 tokens, and so of 64 to several hundred candidates."""
    draw = np.random.default_rng(request.config.option.seed)
    lengths = [1, 1, 2, 7, 8, 9, 15, 16, 17, 64, 90, *draw.geometric(1 / 12, 37)]
    words = range(4, bundle.manifest.tokens.vocabulary_size)
    return [tuple(draw.choice(words, min(n, 90)).tolist()) for n in draw.permutation(lengths)]


SEARCHES = {
    "greedy": Search(max_tokens=20, shortlist=True),
    "beam of 4": Search(max_tokens=20, beam_size=4, num_hypotheses=4, shortlist=True),
    "sampled": Search(max_tokens=20, sampling=Sampling(seed=5, top_k=20), shortlist=True),
}


@pytest.fixture(scope="module", params=SEARCHES.values(), ids=SEARCHES)
def alone(request, runtime, sources):
    """Jobs, and the answer to each when it is the only one."""
    jobs = [Job(source=source, search=request.param) for source in sources]
    with Engine(runtime) as engine:
        return jobs, [engine.submit([job])[0].result(PATIENCE).hypotheses for job in jobs]


def test_lists_differ_in_length_and_overlap(runtime, sources):
    found = [set(runtime.shortlisted(source).tolist()) for source in sources]
    assert min(map(len, found)) == 64, "a short list is filled up"
    assert max(map(len, found)) > 400
    assert len({-(-len(one) // 64) for one in found}) > 3, "of many padded lengths"


@pytest.mark.parametrize(("workers", "rows"), [(1, 64), (1, 16), (2, 16)])
def test_company_changes_no_bit(runtime, alone, draw, workers, rows):
    """All at once, and through so few rows that most join others under way."""
    jobs, expected = alone
    order = draw.permutation(len(jobs)).tolist()
    with Engine(runtime, workers=workers, max_rows=rows) as engine:
        futures = dict(zip(order, engine.submit([jobs[i] for i in order]), strict=True))
        assert [futures[i].result(PATIENCE).hypotheses for i in range(len(jobs))] == expected


def test_among_searches_without_lists_as_if_alone(runtime, alone, sources):
    jobs, expected = alone
    others = [Job(source=source, search=Search(max_tokens=12)) for source in sources]
    with Engine(runtime, max_rows=24) as engine:
        mixed = [job for pair in zip(jobs, others, strict=True) for job in pair]
        found = [future.result(PATIENCE).hypotheses for future in engine.submit(mixed)]
    assert found[::2] == expected


def test_answers_consist_of_listed_tokens_only(runtime, alone):
    jobs, answers = alone
    listed = [set(runtime.shortlisted(job.source).tolist()) for job in jobs]
    for own, hypotheses in zip(listed, answers, strict=True):
        assert all(set(hypothesis.ids) <= own for hypothesis in hypotheses)


def test_log_probabilities_are_those_of_the_model_restricted_to_the_list(runtime, sources):
    """Beside the full tail, cut down and normalised anew in NumPy, step by step."""
    for source in sources[:8]:
        listed = runtime.shortlisted(source)
        restricted = runtime.decoder(
            width=1, max_sources=1, tail=Search(max_tokens=1, shortlist=True).tail
        )
        whole = runtime.decoder(width=1, max_sources=1)
        encoded = runtime.encode([source])
        for decoder in (restricted, whole):
            decoder.state.admit(encoded)
            decoder.input_ids[0] = runtime.bos
        restricted.lists.admit(0, listed)
        for _ in range(6):
            own = whole.step_full()[0, 0, listed].astype(np.float64)
            own -= np.log(np.exp(own).sum())
            found, ids = restricted.step(9)
            expected = np.argsort(-own, kind="stable")[:9]
            np.testing.assert_allclose(found[0, 0], own[expected], atol=2e-5)
            np.testing.assert_allclose(
                own[np.searchsorted(listed, ids[0, 0])], found[0, 0], atol=2e-5
            )
            restricted.input_ids[0] = whole.input_ids[0] = ids[0, 0, 0]


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_with_everything_listed_a_translation_is_what_it_is_without(
    bundle, traced, sources, variant
):
    size = bundle.manifest.tokens.vocabulary_size
    runtime = OnnxRuntime(with_lists(bundle, traced, everything(size)), variant=variant)
    search = Search(max_tokens=20, beam_size=2)
    with Engine(runtime) as engine:
        found, expected = (
            [
                f.result(PATIENCE).hypotheses[0]
                for f in engine.submit(
                    [
                        Job(source=s, search=dataclasses.replace(search, shortlist=listed))
                        for s in sources
                    ]
                )
            ]
            for listed in (True, False)
        )
    same = sum(f.ids == e.ids for f, e in zip(found, expected, strict=True))
    assert same >= len(sources) - 1, "but for ties"


def test_the_certificate_covers_lists(runtime, sources):
    assert {"greedy, shortlist", "beam 4, shortlist"} < searches_for(runtime).keys()
    findings = list(certify(runtime, sources[:6], seed=1))
    assert all(finding.holds for finding in findings)


def test_a_source_without_a_list_of_its_own_can_still_end(bundle, traced):
    size = bundle.manifest.tokens.vocabulary_size
    nothing = LexicalShortlist(
        always=np.zeros(0, np.int32),
        offsets=np.zeros(size + 1, np.int32),
        targets=np.zeros(0, np.int32),
    )
    runtime = OnnxRuntime(with_lists(bundle, traced, nothing), variant="int8")
    listed = runtime.shortlisted((5, 6))
    assert EOS in listed
    assert len(listed) == 64
    assert not set(listed.tolist()) & set(bundle.manifest.tokens.never_generated)
