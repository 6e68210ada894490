"""A real gRPC server on the loopback address, around the engine that a test holds in its hand."""

from __future__ import annotations

import asyncio
import logging
import re
import socket

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from ferryman.v1 import translation_pb2
from ferryman.v1.translation_service_pb2 import (
    GetServerInfoRequest,
    ListLanguagePairsRequest,
    ListModelsRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.engine import EngineFailedError, OverloadedError
from ferryman_server.limits import ConnectionLimits
from ferryman_server.start_errors import AddressError

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
TRANSLATE = "/ferryman.v1.TranslationService/TranslateText"


async def eventually(condition, *, seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def fails(call, code: grpc.StatusCode) -> dict[str, object]:
    """Await a call that must fail with a code, and return its details by type."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    assert error.code() is code, error.details()
    status = rpc_status.from_call(error)
    if status is None:
        return {}
    details = {}
    for packed in status.details:
        name = packed.TypeName().removeprefix("google.rpc.")
        details[name] = getattr(error_details_pb2, name)()
        packed.Unpack(details[name])
    return details


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


async def test_what_is_wrong_with_a_request_is_told_by_field(serving):
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
            {"output": {"alignments": True}},
            grpc.StatusCode.FAILED_PRECONDITION,
            "FEATURE_UNAVAILABLE",
        ),
    ],
)
async def test_what_is_not_here_has_its_own_code(serving, fields, code, reason):
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
async def test_bytes_that_are_no_message_are_the_callers_fault(serving, method):
    async with serving() as (_, channel):
        call = channel.unary_unary(method)(b"\x0a\xff\xff\xff\xff")
        details = await fails(call, grpc.StatusCode.INVALID_ARGUMENT)
    assert details["ErrorInfo"].reason == "INVALID_FIELD"


async def test_text_that_is_no_utf_8_is_the_callers_fault(serving):
    async with serving() as (_, channel):
        call = channel.unary_unary(TRANSLATE)(b"\x0a\x02\xc3\x28")
        await fails(call, grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_message_over_the_limit_is_refused(serving):
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


async def test_the_log_has_one_line_a_call_and_no_texts(serving, caplog):
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


async def test_a_full_queue_is_told_with_the_wait(serving, engine):
    engine.refusal = OverloadedError(2.5)
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        details = await fails(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 2500
    assert details["ErrorInfo"].reason == "QUEUE_FULL"


async def test_too_many_calls_are_refused_and_health_still_answers(serving, engine):
    engine.holds = True
    async with serving(max_concurrent_calls=2) as (server, channel):
        stub = TranslationServiceStub(channel)
        held = [stub.TranslateText(TranslateTextRequest(contents=["a"])) for _ in range(2)]
        await eventually(lambda: len(engine.futures) == 2)
        details = await fails(
            stub.TranslateText(TranslateTextRequest(contents=["b"])),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
        assert details["RetryInfo"].retry_delay.ToMilliseconds() >= 100
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
        engine.release()
        assert [(await call).translations[0].hypotheses[0].translated_text for call in held] == [
            "A",
            "A",
        ]
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_deadline_frees_the_engine(serving, engine):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["One. Two."]), timeout=0.3
        )
        await fails(call, grpc.StatusCode.DEADLINE_EXCEEDED)
        await eventually(lambda: all(f.cancelled() for f in engine.futures))
        assert len(engine.futures) == 2
        assert all(job.deadline is not None for job in engine.jobs)
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_client_that_cancels_frees_the_engine(serving, engine):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["One. Two."])
        )
        await eventually(lambda: len(engine.futures) == 2)
        call.cancel()
        await eventually(lambda: all(f.cancelled() for f in engine.futures))
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_client_that_vanishes_frees_the_engine(serving, engine):
    engine.holds = True
    async with serving() as (server, _):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as other:
            task = asyncio.ensure_future(
                TranslationServiceStub(other).TranslateText(TranslateTextRequest(contents=["One."]))
            )
            await eventually(lambda: len(engine.futures) == 1)
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError, grpc.aio.UsageError)):
            await task
        await eventually(lambda: all(f.cancelled() for f in engine.futures))


async def test_draining_says_so_first_refuses_the_new_and_finishes_the_old(serving, engine):
    engine.holds = True
    async with serving() as (server, channel):
        stub = TranslationServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        held = asyncio.ensure_future(stub.TranslateText(TranslateTextRequest(contents=["a"])))
        await eventually(lambda: len(engine.futures) == 1)

        draining = asyncio.ensure_future(server.drain(30))
        assert (await watch.read()).status == NOT_SERVING
        for name in ("", "ferryman.v1.TranslationService", "model/letters"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == NOT_SERVING
        details = await fails(
            stub.TranslateText(TranslateTextRequest(contents=["b"])), grpc.StatusCode.UNAVAILABLE
        )
        assert details["ErrorInfo"].reason == "SERVER_DRAINING"
        assert "RetryInfo" in details
        assert not draining.done()

        engine.release()
        assert (await held).translations[0].hypotheses[0].translated_text == "A"
        assert await draining
        watch.cancel()


async def test_draining_ends_at_its_limit(serving, engine):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        held = asyncio.ensure_future(fails(call, grpc.StatusCode.UNAVAILABLE))
        await eventually(lambda: len(engine.futures) == 1)
        assert not await server.drain(0.05)
        await held
        assert engine.futures[0].cancelled()


@pytest.mark.parametrize("name", ["", "ferryman.v1.TranslationService", "model/letters"])
async def test_health_knows_the_server_its_service_and_its_model(serving, name):
    async with serving() as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == SERVING


async def test_health_of_a_stranger_is_not_found(serving):
    async with serving() as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        call = health.Check(health_pb2.HealthCheckRequest(service="model/none"))
        await fails(call, grpc.StatusCode.NOT_FOUND)


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


async def test_the_server_lists_its_model_and_its_languages(serving):
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


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_a_client_with_reflection_alone_translates(serving, version):
    """No stub of ours: the messages are made from what the server tells."""
    async with serving() as (_, channel):
        reflect = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

        async def ask(**question) -> reflection_pb2.ServerReflectionResponse:
            call = reflect()
            await call.write(reflection_pb2.ServerReflectionRequest(**question))
            answer = await call.read()
            await call.done_writing()
            return answer

        listed = await ask(list_services="")
        services = {service.name for service in listed.list_services_response.service}
        assert {"ferryman.v1.TranslationService", "grpc.health.v1.Health"} <= services

        files: dict[str, bytes] = {}
        wanted = [await ask(file_containing_symbol="ferryman.v1.TranslationService")]
        while wanted:
            for raw in wanted.pop().file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(raw)
                if file.name not in files:
                    files[file.name] = raw
                    wanted += [await ask(file_by_filename=name) for name in file.dependency]
        pool = descriptor_pool.DescriptorPool()
        pending = {
            name: descriptor_pb2.FileDescriptorProto.FromString(r) for name, r in files.items()
        }
        while pending:
            name = next(n for n, f in pending.items() if not set(f.dependency) & set(pending))
            pool.Add(pending.pop(name))
        method = pool.FindMethodByName("ferryman.v1.TranslationService.TranslateText")
        request_type = message_factory.GetMessageClass(method.input_type)
        response_type = message_factory.GetMessageClass(method.output_type)
        response = await channel.unary_unary(
            TRANSLATE,
            request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString,
        )(request_type(contents=["text"]))
    assert response.translations[0].hypotheses[0].translated_text == "TEXT"


async def test_an_address_in_use_is_a_clear_error(serving, model):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressError, match=address):
            async with serving(address=address):
                pass


async def test_connections_that_say_nothing_are_let_go(serving):
    impatient = ConnectionLimits(handshake_seconds=0.5, idle_seconds=1.0)
    async with serving(connections=impatient) as (server, channel):
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        for _, writer in silent[:10]:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        async with asyncio.timeout(10):
            for reader, writer in silent:
                while await reader.read(4096):
                    pass
                writer.close()
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["a"])
        )
    assert response.translations[0].hypotheses[0].translated_text == "A"
