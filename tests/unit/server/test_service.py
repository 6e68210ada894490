"""The methods over a real gRPC server, around an engine that writes in upper case."""

from __future__ import annotations

import logging
import random
import re

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ferryman.v1 import translation_pb2
from ferryman.v1.translation_service_pb2 import (
    GetModelRequest,
    GetServerInfoRequest,
    ListLanguagePairsRequest,
    ListModelsRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.engine import EngineFailedError

TRANSLATE = "/ferryman.v1.TranslationService/TranslateText"


async def test_texts_come_back_in_order_with_all_that_was_promised(serving):
    async with serving() as (_, channel):
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(
                contents=["One. Two.", " "],
                source_language_code="en-US",
                target_language_code="fr",
                request_id="my-call",
                output={"sentences": True},
                decoding={"num_hypotheses": 2},
            )
        )
    assert [[h.translated_text for h in t.hypotheses] for t in response.translations] == [
        ["ONE. TWO.", "ONE.! TWO.!"],
        [" "],
    ]
    best = response.translations[0].hypotheses[0]
    assert best.finish_reason == translation_pb2.FINISH_REASON_EOS
    assert [(s.source.start, s.source.end) for s in best.sentences] == [(0, 4), (5, 9)]
    second = response.translations[0].hypotheses[1]
    assert [(s.target.start, s.target.end) for s in second.sentences] == [(0, 5), (6, 11)]
    assert response.model == "letters@1.2.3"
    assert response.request_id == "my-call"
    assert (response.source_language_code, response.target_language_code) == ("en", "fr")
    assert (response.decoding.beam_size, response.decoding.num_hypotheses) == (3, 2)
    assert response.decoding.length_penalty == pytest.approx(0.7)
    assert (response.usage.source_characters, response.usage.sentences) == (10, 2)
    timings = response.timings
    assert timings.queue_duration.ToMilliseconds() == 500
    assert timings.decode_duration.ToMilliseconds() == 250
    assert timings.total_duration.ToNanoseconds() > timings.preparation_duration.ToNanoseconds() > 0


async def test_sentences_are_shown_only_when_asked_for(serving):
    async with serving() as (_, channel):
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["One. Two."])
        )
    assert not response.translations[0].hypotheses[0].sentences


async def test_a_text_that_is_refused_has_its_own_status(serving):
    async with serving() as (_, channel):
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(
                contents=["fine", "x" * 100], text={"long_input": "LONG_INPUT_POLICY_ERROR"}
            )
        )
    fine, refused = response.translations
    assert fine.hypotheses[0].translated_text == "FINE"
    assert not fine.HasField("error")
    assert not refused.hypotheses
    assert refused.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    info = error_details_pb2.ErrorInfo()
    refused.error.details[0].Unpack(info)
    assert info.reason == "INPUT_TOO_LONG"
    assert dict(info.metadata) == {"length": "100", "limit": "60", "unit": "tokens"}


async def test_what_is_wrong_with_a_request_is_told_by_field(serving, fails):
    request = TranslateTextRequest(contents=[], decoding={"beam_size": 99}, request_id="call-1")
    async with serving() as (_, channel):
        details = await fails(
            TranslationServiceStub(channel).TranslateText(request),
            grpc.StatusCode.INVALID_ARGUMENT,
        )
    violations = {v.field for v in details["BadRequest"].field_violations}
    assert violations == {"contents", "decoding.beam_size"}
    assert details["ErrorInfo"].domain == "ferryman"
    assert details["RequestInfo"].request_id == "call-1"


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"model": "none"}, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (
            {"source_language_code": "de"},
            grpc.StatusCode.INVALID_ARGUMENT,
            "UNSUPPORTED_LANGUAGE_PAIR",
        ),
        (
            {"decoding": {"replace_unknown": True}},
            grpc.StatusCode.FAILED_PRECONDITION,
            "FEATURE_UNAVAILABLE",
        ),
    ],
)
async def test_what_is_not_here_has_its_own_code(serving, fields, code, reason, fails):
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["text"], **fields)
        )
        details = await fails(call, code)
    assert details["ErrorInfo"].reason == reason


@pytest.mark.parametrize(
    "method",
    [TRANSLATE, "/ferryman.v1.TranslationService/ListModels", "/grpc.health.v1.Health/Check"],
)
async def test_bytes_that_are_no_message_are_the_callers_fault(serving, method, fails):
    async with serving() as (_, channel):
        call = channel.unary_unary(method)(b"\x0a\xff\xff\xff\xff")
        details = await fails(call, grpc.StatusCode.INVALID_ARGUMENT)
    assert details["ErrorInfo"].reason == "INVALID_FIELD"


async def test_text_that_is_no_utf_8_is_the_callers_fault(serving, fails):
    async with serving() as (_, channel):
        call = channel.unary_unary(TRANSLATE)(b"\x0a\x02\xc3\x28")
        await fails(call, grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_message_over_the_limit_is_refused(serving, fails):
    async with serving(max_request_bytes=1000) as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["x" * 2000])
        )
        await fails(call, grpc.StatusCode.RESOURCE_EXHAUSTED)


async def test_an_unexpected_error_is_internal_and_its_traceback_is_in_the_log(
    serving, engine, caplog
):
    engine.failure = EngineFailedError("the device is on fire")
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["a secret text"], request_id="call-9")
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "call-9" in caught.value.details()
    assert "fire" not in str(rpc_status.from_call(caught.value))
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.exc_info[1] is engine.failure
    assert record.facts["request_id"] == "call-9"


async def test_the_log_has_one_line_a_call_and_no_texts(serving, caplog, fails):
    caplog.set_level(logging.INFO)
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        await stub.TranslateText(
            TranslateTextRequest(contents=["a secret text"], labels={"team": "docs"}),
            metadata=(("x-request-id", "from-the-header"),),
        )
        await fails(
            stub.TranslateText(TranslateTextRequest(contents=["secret"], model="secret")),
            grpc.StatusCode.NOT_FOUND,
        )
    answered, refused = [r for r in caplog.records if r.name == "ferryman.call"]
    assert answered.facts["request_id"] == "from-the-header"
    assert answered.facts["code"] == "OK"
    assert answered.facts["labels"] == {"team": "docs"}
    assert (answered.facts["texts"], answered.facts["sentences"]) == (1, 1)
    assert (refused.facts["code"], refused.facts["reason"]) == ("NOT_FOUND", "MODEL_NOT_FOUND")
    assert "secret" not in str([record.__dict__ for record in caplog.records])


async def test_a_call_without_a_name_gets_one_and_learns_it(serving):
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["a"]), metadata=(("x-request-id", "not valid"),)
        )
        response = await call
        trailers = dict(await call.trailing_metadata())
    assert re.fullmatch(r"[0-9a-f]{32}", response.request_id)
    assert trailers["x-request-id"] == response.request_id


async def test_the_server_tells_its_version_device_and_limits(serving):
    async with serving(max_texts=7, max_beam_size=5) as (_, channel):
        info = await TranslationServiceStub(channel).GetServerInfo(GetServerInfoRequest())
    assert info.version == "9.8.7"
    assert (info.device.provider, info.device.workers) == ("CPUExecutionProvider", 2)
    assert (info.limits.max_contents, info.limits.max_beam_size) == (7, 5)
    assert info.limits.max_request_bytes == 16 << 20
    assert info.default_model == "letters@1.2.3"
    assert "output.sentences" in info.features
    assert info.start_time.ToJsonString() == "2026-11-21T10:00:00Z"
    for field in info.limits.DESCRIPTOR.fields:
        assert getattr(info.limits, field.name) > 0, f"{field.name} is not published"


async def test_the_server_lists_its_model_and_its_languages(serving, fails):
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        (model,) = (await stub.ListModels(ListModelsRequest())).models
        pairs = await stub.ListLanguagePairs(ListLanguagePairsRequest(model="letters"))
        await fails(
            stub.ListLanguagePairs(ListLanguagePairsRequest(model="none")),
            grpc.StatusCode.NOT_FOUND,
        )
        await fails(
            stub.ListModels(ListModelsRequest(page_size=-1)), grpc.StatusCode.INVALID_ARGUMENT
        )
    assert (model.name, model.version, model.is_default) == ("letters", "1.2.3", True)
    assert (model.max_source_tokens, model.max_target_tokens) == (61, 81)
    assert model.default_decoding.beam_size == 3
    assert not model.HasField("quality")
    (pair,) = pairs.language_pairs
    assert (pair.source_language_code, pair.target_language_code) == ("en", "fr")
    assert list(pair.models) == ["letters@1.2.3"]


async def test_mutated_messages_are_answered_or_are_the_callers_fault(serving, seed, caplog):
    chance = random.Random(seed)
    sound = TranslateTextRequest(
        contents=["One. Two.", "three"],
        source_language_code="en",
        model="letters",
        decoding={"beam_size": 2, "length_penalty": 0.5},
        output={"sentences": True},
        labels={"team": "docs"},
        request_id="call",
    ).SerializeToString()
    declared = {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
    seen = set()
    async with serving() as (_, channel):
        call = channel.unary_unary(TRANSLATE)
        for _ in range(500):
            raw = bytearray(sound)
            for _ in range(chance.randint(1, 4)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            del raw[chance.randint(1, 2 * len(raw)) :]
            try:
                await call(bytes(raw), timeout=10)
                seen.add(grpc.StatusCode.OK)
            except grpc.aio.AioRpcError as error:
                seen.add(error.code())
    assert seen <= declared
    assert {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT} <= seen
    # Not what gRPC logs of its poller where, as in these tests, a process has had several loops.
    ours = [record for record in caplog.records if record.name.startswith("ferryman")]
    assert not [record for record in ours if record.levelno >= logging.ERROR]


async def test_a_model_is_told_by_its_name(serving, fails):
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        model = (await stub.GetModel(GetModelRequest(model="letters"))).model
        details = await fails(
            stub.GetModel(GetModelRequest(model="words")), grpc.StatusCode.NOT_FOUND
        )
    assert (model.name, model.version, model.is_default) == ("letters", "1.2.3", True)
    assert details["ErrorInfo"].metadata["available"] == "letters@1.2.3"


@pytest.mark.parametrize(
    "cause", [MemoryError(), RuntimeError("Failed to allocate memory for requested buffer")]
)
async def test_lack_of_memory_is_told_as_such(serving, engine, fails, cause):
    engine.failure = EngineFailedError("decoding failed")
    engine.failure.__cause__ = cause
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["x"]))
        details = await fails(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert details["ErrorInfo"].reason == "DEVICE_MEMORY"
    assert details["RetryInfo"].retry_delay.seconds == 1
