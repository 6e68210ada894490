"""From messages to requests: everything that is wrong is found, and found at once."""

from __future__ import annotations

import math

import pytest
from google.protobuf.descriptor import FieldDescriptor

from ferryman.v1 import options_pb2
from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman_server.engine import LengthPenalty
from ferryman_server.errors import (
    FeatureUnavailableError,
    InputTooLongError,
    InvalidRequestError,
    ServiceError,
)
from ferryman_server.limits import Limits
from ferryman_server.request import DecodingOptions, SamplingOptions
from ferryman_server.text.passage import LongInput
from ferryman_server.wire.requests import FEATURES, OutputOptions, parse_translation_request

LIMITS = Limits(max_texts=3, max_text_characters=10, max_beam_size=8, max_num_hypotheses=4)


def parse(**fields):
    message = TranslateTextRequest(**({"contents": ["text"]} | fields))
    return parse_translation_request(message, LIMITS, deadline=12.5)


def faults_of(error: type[ServiceError], **fields) -> dict[str, str]:
    with pytest.raises(error) as caught:
        parse(**fields)
    assert type(caught.value) is error
    return {fault.path: fault.description for fault in caught.value.faults}


def test_what_is_not_set_is_left_to_the_model():
    request, output = parse()
    assert request.texts == ("text",)
    assert (request.source_language, request.target_language, request.model) == (None, None, None)
    assert {getattr(request.decoding, name) for name in request.decoding.__slots__} == {None}
    assert request.text.split_sentences
    assert request.text.keep_newlines
    assert request.text.long_input is LongInput.SPLIT
    assert request.deadline == 12.5
    assert output == OutputOptions(sentences=False)


def test_what_is_set_arrives():
    request, output = parse(
        contents=["a", ""],
        source_language_code="en-GB",
        target_language_code="fr",
        model="letters@1",
        decoding={
            "beam_size": 4,
            "num_hypotheses": 2,
            "length_penalty": 0.6,
            "min_tokens": 0,
            "max_tokens": 7,
            "max_length_ratio": 1.5,
            "max_length_offset": 0,
        },
        text={
            "split_sentences": False,
            "keep_newlines": False,
            "long_input": "LONG_INPUT_POLICY_ERROR",
        },
        output={"sentences": True},
    )
    assert request.texts == ("a", "")
    assert (request.source_language, request.target_language) == ("en-GB", "fr")
    assert request.model == "letters@1"
    options = request.decoding
    assert (options.beam_size, options.num_hypotheses) == (4, 2)
    assert (options.min_tokens, options.max_tokens) == (0, 7)
    assert options.length_penalty == 0.6, "the float32 on the wire became the number that was meant"
    assert (options.max_length_ratio, options.max_length_offset) == (1.5, 0)
    assert not request.text.split_sentences
    assert not request.text.keep_newlines
    assert request.text.long_input is LongInput.ERROR
    assert output.sentences


def test_every_way_to_search_arrives():
    request, _ = parse(
        target_prefixes=["Le"],
        decoding={
            "beam_size": 4,
            "patience": 2,
            "early_stopping": True,
            "length_penalty_kind": "LENGTH_PENALTY_KIND_GNMT",
            "coverage_penalty": 0.2,
            "min_length_ratio": 0.3,
            "repetition_penalty": 1.2,
            "no_repeat_ngram_size": 3,
            "prefix_bias": 0.4,
            "suppress": ["a", "b c"],
            "loop_guard_tokens": 0,
            "beam_groups": 2,
            "diversity_penalty": 0.5,
            "use_shortlist": False,
        },
    )
    assert request.target_prefixes == ("Le",)
    assert request.decoding == DecodingOptions(
        beam_size=4,
        patience=2.0,
        early_stopping=True,
        length_penalty_kind=LengthPenalty.GNMT,
        coverage_penalty=0.2,
        min_length_ratio=0.3,
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        prefix_bias=0.4,
        suppress=("a", "b c"),
        loop_guard_tokens=0,
        beam_groups=2,
        diversity_penalty=0.5,
        use_shortlist=False,
    )


def test_sampling_arrives_with_more_hypotheses_than_a_beam_would_have():
    request, _ = parse(
        decoding={
            "num_hypotheses": 4,
            "beam_size": 1,
            "sampling": {"seed": 0, "temperature": 0.7, "top_k": 9, "top_p": 0.9, "min_p": 0.1},
        }
    )
    assert request.decoding.num_hypotheses == 4
    assert request.decoding.sampling == SamplingOptions(
        seed=0, temperature=0.7, top_k=9, top_p=0.9, min_p=0.1
    )
    assert parse(decoding={"sampling": {}})[0].decoding.sampling == SamplingOptions()


def test_alternatives_arrive():
    request, _ = parse(output={"alternatives_at_prefix": 3})
    assert request.alternatives == 3


def test_a_prefix_over_the_limit_of_texts_is_named():
    assert list(faults_of(InputTooLongError, target_prefixes=["x" * 11])) == ["target_prefixes[0]"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("contents", {"contents": []}),
        ("contents", {"contents": ["a"] * 4}),
        ("mime_type", {"mime_type": "application/pdf"}),
        ("source_language_code", {"source_language_code": "English!"}),
        ("target_language_code", {"target_language_code": "f"}),
        ("request_id", {"request_id": "with space"}),
        ("request_id", {"request_id": "x" * 129}),
        ("request_id", {"request_id": "line\nbreak"}),
        ("labels", {"labels": {str(i): "" for i in range(65)}}),
        ("labels", {"labels": {"k": "v" * 129}}),
        ("target_prefixes", {"target_prefixes": ["", ""]}),
        ("decoding.beam_size", {"decoding": {"beam_size": 0}}),
        ("decoding.beam_size", {"decoding": {"beam_size": 9}}),
        ("decoding.num_hypotheses", {"decoding": {"num_hypotheses": 5}}),
        ("decoding.num_hypotheses", {"decoding": {"beam_size": 2, "num_hypotheses": 3}}),
        ("decoding.length_penalty", {"decoding": {"length_penalty": -0.1}}),
        ("decoding.length_penalty", {"decoding": {"length_penalty": math.nan}}),
        ("decoding.length_penalty", {"decoding": {"length_penalty": math.inf}}),
        ("decoding.max_tokens", {"decoding": {"max_tokens": 0}}),
        ("decoding.min_tokens", {"decoding": {"min_tokens": 5, "max_tokens": 4}}),
        ("decoding.max_length_ratio", {"decoding": {"max_length_ratio": 101}}),
        ("decoding.max_length_offset", {"decoding": {"max_length_offset": 4_000_000_000}}),
        ("decoding.min_length_ratio", {"decoding": {"min_length_ratio": -1}}),
        ("decoding.patience", {"decoding": {"patience": 0.5}}),
        ("decoding.coverage_penalty", {"decoding": {"coverage_penalty": math.nan}}),
        ("decoding.beam_groups", {"decoding": {"beam_groups": 0}}),
        ("decoding.beam_groups", {"decoding": {"beam_size": 4, "beam_groups": 3}}),
        ("decoding.diversity_penalty", {"decoding": {"diversity_penalty": -1}}),
        ("decoding.repetition_penalty", {"decoding": {"repetition_penalty": 0}}),
        ("decoding.prefix_bias", {"decoding": {"prefix_bias": 1.1}}),
        ("decoding.loop_guard_tokens", {"decoding": {"loop_guard_tokens": 7}}),
        ("decoding.suppress", {"decoding": {"suppress": ["x"] * 1025}}),
        ("decoding.suppress[1]", {"decoding": {"suppress": ["x", " "]}}),
        ("decoding.suppress[0]", {"decoding": {"suppress": ["x" * 257]}}),
        ("decoding.sampling.temperature", {"decoding": {"sampling": {"temperature": 0}}}),
        ("decoding.sampling.top_p", {"decoding": {"sampling": {"top_p": 1.5}}}),
        ("decoding.sampling.min_p", {"decoding": {"sampling": {"min_p": -0.1}}}),
        ("decoding.beam_size", {"decoding": {"beam_size": 2, "sampling": {}}}),
        (
            "decoding.beam_size",
            {"decoding": {"beam_size": 2}, "output": {"alternatives_at_prefix": 2}},
        ),
        (
            "decoding.sampling",
            {"decoding": {"sampling": {}}, "output": {"alternatives_at_prefix": 2}},
        ),
        (
            "decoding.num_hypotheses",
            {"decoding": {"num_hypotheses": 1}, "output": {"alternatives_at_prefix": 2}},
        ),
        ("output.alternatives_at_prefix", {"output": {"alternatives_at_prefix": 5}}),
    ],
)
def test_a_field_outside_of_its_range_is_named(path, fields):
    assert list(faults_of(InvalidRequestError, **fields)) == [path]


UNAVAILABLE = [
    ("glossary_config.glossary", {"glossary_config": {"glossary": "legal"}}),
    ("glossary_config.mode", {"glossary_config": {"mode": "GLOSSARY_MODE_PREFER"}}),
    ("decoding.forbid_unknown", {"decoding": {"forbid_unknown": False}}),
    ("decoding.replace_unknown", {"decoding": {"replace_unknown": True}}),
]


@pytest.mark.parametrize(("path", "fields"), UNAVAILABLE)
def test_an_option_that_is_not_there_is_refused_not_ignored(path, fields):
    assert list(faults_of(FeatureUnavailableError, **fields)) == [path]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("priority", {"priority": 99}),
        ("text.long_input", {"text": {"long_input": 99}}),
        ("decoding.length_penalty_kind", {"decoding": {"length_penalty_kind": 99}}),
    ],
)
def test_a_value_of_a_newer_contract_is_refused_not_ignored(path, fields):
    assert list(faults_of(FeatureUnavailableError, **fields)) == [path]


SERVED = {
    "alignments",
    "attention",
    "tokens",
    "alternatives_at_prefix",
    "beam_groups",
    "beam_size",
    "coverage_penalty",
    "diversity_penalty",
    "early_stopping",
    "length_penalty_kind",
    "loop_guard_tokens",
    "min_length_ratio",
    "no_repeat_ngram_size",
    "num_hypotheses",
    "patience",
    "prefix_bias",
    "repetition_penalty",
    "sampling",
    "suppress",
    "use_shortlist",
    "length_penalty",
    "min_tokens",
    "max_tokens",
    "max_length_ratio",
    "max_length_offset",
    "sentences",
    "split_sentences",
    "keep_newlines",
    "long_input",
    "placeholder_patterns",
    "protect_spans",
    "quality",
    "second_try",
    "translated_attributes",
}


def test_every_option_of_the_contract_is_either_served_or_refused():
    """An option that is added to the contract must be decided about here."""
    refused = {path.rpartition(".")[2] for path, _ in UNAVAILABLE}
    for message in (
        options_pb2.DecodingOptions,
        options_pb2.OutputOptions,
        options_pb2.TextOptions,
    ):
        options = {field.name for field in message.DESCRIPTOR.fields}
        assert options <= refused | SERVED
    assert not refused & SERVED


def test_features_are_paths_of_the_request():
    for feature in FEATURES:
        descriptor = TranslateTextRequest.DESCRIPTOR
        for name in feature.split("."):
            field: FieldDescriptor = descriptor.fields_by_name[name]
            descriptor = field.message_type


def test_a_value_that_changes_nothing_may_be_set():
    parse(
        mime_type="text/plain",
        priority="PRIORITY_NORMAL",
        target_prefixes=[""],
        decoding={
            "patience": 1,
            "coverage_penalty": 0,
            "repetition_penalty": 1,
            "no_repeat_ngram_size": 0,
            "forbid_unknown": True,
            "replace_unknown": False,
            "use_shortlist": False,
            "length_penalty_kind": "LENGTH_PENALTY_KIND_EXPONENT",
        },
    )


def test_a_text_over_the_limit_is_named_with_its_length():
    with pytest.raises(InputTooLongError) as caught:
        parse(contents=["short", "x" * 11, "y" * 12])
    assert [fault.path for fault in caught.value.faults] == ["contents[1]", "contents[2]"]
    assert caught.value.metadata == {"length": "12", "limit": "10", "unit": "characters"}


def test_all_faults_are_reported_together_under_the_gravest_kind():
    faults = faults_of(
        InvalidRequestError,
        contents=["x" * 11],
        source_language_code="?",
        decoding={"beam_size": 99, "forbid_unknown": False, "replace_unknown": True},
    )
    assert set(faults) == {
        "contents[0]",
        "source_language_code",
        "decoding.beam_size",
        "decoding.forbid_unknown",
        "decoding.replace_unknown",
    }
    assert faults["decoding.beam_size"] == "must be from 1 to 8, but is 99"
