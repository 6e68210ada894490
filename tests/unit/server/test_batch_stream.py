"""Batches over real sockets: answered when done, whatever fails, and so many at a time."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from ferryman.v1.translation_service_pb2 import TranslateBatchRequest, TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.engine import EngineFailedError, OverloadedError, QuotaError

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def config(**fields):
    return TranslateBatchRequest(config=TranslateTextRequest(**fields))


def item(number, text, **fields):
    return TranslateBatchRequest(item={"id": number, "content": text, **fields})


def batch(channel, *requests):
    return TranslationServiceStub(channel).TranslateBatch(iter(requests))


async def read(call):
    """Return how a batch began, and its results by id; each must come once."""
    first, *rest = [message async for message in call]
    results = {message.result.id: message.result for message in rest}
    assert len(results) == len(rest)
    return first.started, results


def text_of(result):
    return result.translation.hypotheses[0].translated_text


def code_of(result):
    return result.translation.error.code


async def test_every_text_is_answered_once_by_its_id(serving):
    texts = {7: "One. Two.", 1 << 60: " ", 0: "", 3: "three\n"}
    async with serving() as (_, channel):
        requests = [item(number, text) for number, text in texts.items()]
        started, results = await read(
            batch(channel, config(request_id="mine", decoding={"num_hypotheses": 2}), *requests)
        )
    assert {number: text_of(result) for number, result in results.items()} == {
        number: text.upper() for number, text in texts.items()
    }
    assert len(results[7].translation.hypotheses) == 2
    assert (results[7].usage.sentences, results[7].model) == (2, "letters@1.2.3")
    assert (started.request_id, started.model, started.model_digest) == (
        "mine",
        "letters@1.2.3",
        "d" * 64,
    )
    assert (started.source_language_code, started.decoding.num_hypotheses) == ("en", 2)
    assert started.max_items == 256


async def test_a_text_is_answered_when_it_is_done_whatever_came_before_it(
    serving, engine, eventually
):
    engine.holds = True
    async with serving() as (_, channel):
        call = batch(channel, config(), item(1, "one"), item(2, "two"))
        await call.read()
        await eventually(lambda: len(engine.jobs) == 2)
        late = next(i for i, job in enumerate(engine.jobs) if job.source[1] == ord("w"))
        held, engine.jobs, engine.futures = (
            (engine.jobs, engine.futures),
            [engine.jobs[late]],
            [engine.futures[late]],
        )
        engine.release()
        assert (await call.read()).result.id == 2
        engine.jobs, engine.futures = held
        engine.release()
        assert (await call.read()).result.id == 1
        assert await call.read() is grpc.aio.EOF


async def test_what_is_wrong_with_one_text_ends_nothing(serving, engine):
    async with serving(max_text_characters=100) as (_, channel):
        settings = config(text={"long_input": "LONG_INPUT_POLICY_ERROR"})
        _, results = await read(
            batch(
                channel,
                settings,
                item(1, "x" * 101),
                item(2, "x" * 90),
                item(3, "fine", decoding={"beam_size": 99}),
                item(4, "fine", decoding={"num_hypotheses": 3}),
                item(5, "fine", target_prefix="\x01"),
                item(6, "fine"),
            )
        )
        engine.failure = EngineFailedError("secret")
        _, failed = await read(batch(channel, config(), item(1, "fine")))
    assert [code_of(results[number]) for number in (1, 2, 3, 5)] == [INVALID.value[0]] * 4
    assert len(results[4].translation.hypotheses) == 3
    assert text_of(results[6]) == "FINE"
    assert code_of(failed[1]) == grpc.StatusCode.INTERNAL.value[0]
    assert "secret" not in str(failed[1])


@pytest.mark.parametrize(
    ("requests", "path"),
    [
        ([], "config"),
        ([item(1, "x")], "config"),
        ([TranslateBatchRequest()], "config"),
        ([config(contents=["x"])], "config.contents"),
        ([config(target_prefixes=["x"])], "config.target_prefixes"),
        ([config(decoding={"beam_size": 99})], "decoding.beam_size"),
        ([config(), config()], "item"),
        ([config(), TranslateBatchRequest()], "item"),
    ],
)
async def test_what_is_wrong_with_a_stream_is_told(serving, fails, requests, path):
    async with serving() as (_, channel):
        details = await fails(read(batch(channel, *requests)), INVALID)
    assert [fault.field for fault in details["BadRequest"].field_violations] == [path]


async def test_bytes_that_are_no_message_end_a_stream_after_what_came_before(serving, fails):
    async with serving() as (_, channel):
        call = channel.stream_stream("/ferryman.v1.TranslationService/TranslateBatch")(
            iter([config().SerializeToString(), item(1, "x").SerializeToString(), b"\xff"])
        )
        await call.read()
        assert b"X" in await call.read()
        details = await fails(call.read(), INVALID)
    assert details["ErrorInfo"].reason == "INVALID_FIELD"


async def test_no_more_is_read_than_is_worked_on(serving, engine, eventually):
    engine.holds = True
    sent = 0

    async def requests():
        nonlocal sent
        yield config()
        for number in range(100_000):
            sent += 1
            yield item(number, "x" * 20_000)

    async with serving(max_batch_items=4, max_queued_tokens=1 << 20) as (_, channel):
        call = TranslationServiceStub(channel).TranslateBatch(requests())
        await call.read()
        await eventually(lambda: engine.submissions == 4)
        held_up_at = -1
        while sent > held_up_at:
            held_up_at = sent
            await asyncio.sleep(0.3)
        assert engine.submissions == 4
        assert sent < 2_000, "the buffers between the two are full, and the sender waits"
        engine.release()
        for _ in range(4):
            await call.read()
        await eventually(lambda: engine.submissions == 8)
        call.cancel()


@pytest.mark.parametrize("refusal", [OverloadedError, QuotaError])
async def test_a_full_queue_holds_up_the_sender_and_fails_nothing(serving, engine, refusal):
    engine.refusal = refusal(retry_after=0.01)
    async with serving() as (_, channel):
        reading = asyncio.ensure_future(read(batch(channel, config(), item(1, "one"))))
        await asyncio.sleep(0.1)
        engine.refusal = None
        _, results = await reading
    assert text_of(results[1]) == "ONE"


async def test_draining_answers_what_was_read_and_takes_no_more(serving, engine, eventually, fails):
    engine.holds = True
    more = asyncio.Event()

    async def requests():
        yield config()
        yield item(1, "one")
        await more.wait()

    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateBatch(requests())
        await call.read()
        await eventually(lambda: engine.submissions == 1)
        draining = asyncio.ensure_future(server.drain(10))
        await asyncio.sleep(0.05)
        engine.release()
        assert text_of((await call.read()).result) == "ONE"
        details = await fails(call.read(), grpc.StatusCode.UNAVAILABLE)
        more.set()
        assert await draining
    assert details["ErrorInfo"].reason == "SERVER_DRAINING"
    assert details["RetryInfo"].retry_delay.ToMilliseconds() > 0


async def test_a_cancelled_batch_frees_the_engine(serving, engine, eventually):
    engine.holds = True
    async with serving() as (server, channel):
        call = batch(channel, config(), *(item(number, "x") for number in range(9)))
        await call.read()
        await eventually(lambda: engine.submissions == 9)
        call.cancel()
        await eventually(lambda: all(future.cancelled() for future in engine.futures))
        await eventually(lambda: server.calls_under_way == 0)


async def test_samples_of_a_batch_have_the_seed_that_it_was_told(serving, engine):
    async with serving() as (_, channel):
        started, _ = await read(
            batch(channel, config(decoding={"sampling": {}}), item(1, "one"), item(2, "two"))
        )
    assert {job.search.sampling.seed for job in engine.jobs} == {started.decoding.sampling.seed}
