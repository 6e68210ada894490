"""Streams over real sockets: what is told, how slowly it may be read, and how it is cancelled."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
from collections import Counter
from pathlib import Path

import grpc
import pytest

sys.path.append(str(Path(__file__).parent / "engine"))
from toy_model import ToyRuntime

from ferryman.v1.translation_service_pb2 import (
    StreamTranslateTextRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.engine import Engine
from ferryman_server.model import Model

PARAMETERS = {"source_language_code": "en", "target_language_code": "fr"}


def streamed(*texts, **fields):
    return StreamTranslateTextRequest(
        request=TranslateTextRequest(contents=texts, **PARAMETERS, **fields)
    )


async def read(call):
    """Return the pieces of each text, and the result, which must be the last message."""
    messages = [message async for message in call]
    kinds = [message.WhichOneof("event") for message in messages]
    assert kinds == ["delta"] * (len(messages) - 1) + ["result"]
    return [message.delta for message in messages[:-1]], messages[-1].result


def together(deltas, index):
    own = [delta for delta in deltas if delta.index == index]
    assert [delta.is_last for delta in own] == [False] * (len(own) - 1) + [True]
    return "".join(delta.text for delta in own)


async def test_pieces_are_the_text_and_the_last_message_is_the_whole_answer(serving):
    texts = ["One.  Two.\n", " ", "three"]
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        plain = await stub.TranslateText(TranslateTextRequest(contents=texts, **PARAMETERS))
        deltas, result = await read(stub.StreamTranslateText(streamed(*texts, request_id="mine")))
    for index, translation in enumerate(plain.translations):
        assert together(deltas, index) == translation.hypotheses[0].translated_text
    assert result.request_id == "mine"
    assert result.translations == plain.translations
    assert (result.model, result.decoding) == (plain.model, plain.decoding)


async def test_what_is_wrong_with_a_stream_is_told_as_of_any_call(serving, fails):
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        call = stub.StreamTranslateText(streamed())
        details = await fails(call.read(), grpc.StatusCode.INVALID_ARGUMENT)
        raw = channel.unary_stream("/ferryman.v1.TranslationService/StreamTranslateText")
        garbled = await fails(raw(b"\xff\xff").read(), grpc.StatusCode.INVALID_ARGUMENT)
    assert details["BadRequest"].field_violations[0].field == "contents"
    assert garbled["ErrorInfo"].reason == "INVALID_FIELD"


async def test_a_text_with_an_error_of_its_own_has_no_pieces(serving):
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).StreamTranslateText(
            streamed("x" * 200, "fine", text={"long_input": "LONG_INPUT_POLICY_ERROR"})
        )
        deltas, result = await read(call)
    assert {delta.index for delta in deltas} == {1}
    assert result.translations[0].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_who_does_not_read_holds_up_nobody(serving, eventually):
    """A text larger than all buffers between the two: the server cannot get rid of it."""
    long = "\n".join(["x" * 50] * 10_000)
    window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16)]
    async with (
        serving(max_queued_tokens=1 << 20) as (server, channel),
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=window) as narrow,
    ):
        lazy = TranslationServiceStub(narrow).StreamTranslateText(streamed(long))
        first = await lazy.read()
        stub = TranslationServiceStub(channel)
        for _ in range(5):
            _, result = await read(stub.StreamTranslateText(streamed("quick")))
            assert result.translations[0].hypotheses[0].translated_text == "QUICK"
        await eventually(lambda: server.calls_under_way == 1)
        rest = []
        while (message := await lazy.read()) is not grpc.aio.EOF:
            rest.append(message)
    deltas = [first.delta, *(message.delta for message in rest[:-1])]
    assert together(deltas, 0) == long.upper()


class WatchedRuntime(ToyRuntime):
    """Counts, for every job, the steps that it was in after it was cancelled."""

    def __init__(self, pace, **options):
        super().__init__(**options)
        self.pace = pace
        self.late_steps = Counter()
        self.engine = None

    def decoder(self, **wanted):
        decoder = super().decoder(**wanted)
        advance = decoder._advance

        def watched():
            for worker in self.engine._workers:
                for lane in worker._batch._lanes.values():
                    if lane._decoder is decoder:
                        late = [ticket for ticket in lane.tickets if ticket.cancelled()]
                        self.late_steps.update(late)
            self.pace.wait(0.0005)
            return advance()

        decoder._advance = watched
        return decoder


class ToyTokenizer:
    """Letters from the fifth token on."""

    def encode(self, text):
        return [4 + ord(letter) % 12 for letter in text]

    def decode(self, ids):
        return "".join(chr(ord("a") + i - 4) for i in ids)


@pytest.mark.parametrize(
    "streams", [60, pytest.param(2000, marks=[pytest.mark.deep, pytest.mark.timeout(900)])]
)
async def test_cancelled_streams_leave_within_a_step_and_change_nobody(
    serving, manifest_for, eventually, seed, streams
):
    draw = random.Random(seed)
    runtime = WatchedRuntime(threading.Event(), words=12, seed=3)
    with Engine(runtime, workers=1, max_rows=64, max_queued_tokens=1 << 20) as engine:
        runtime.engine = engine
        model = Model(
            manifest=manifest_for(max_target_tokens=100),
            digest="d",
            tokenizer=ToyTokenizer(),
            engine=engine,
        )
        texts = ["".join(draw.choices("abcdefghijkl", k=12)) for _ in range(20)]
        searches = [{"beam_size": 1}, {"beam_size": 4}]
        async with serving(models=[model], max_concurrent_calls=4096) as (_, channel):
            stub = TranslationServiceStub(channel)

            def call(text, search):
                # All of equal length, so that a stream does not end before it is cancelled.
                options = {**search, "min_tokens": 60, "max_tokens": 60, "max_length_offset": 60}
                return stub.StreamTranslateText(streamed(text, decoding=options))

            async def best(text, search):
                return (await read(call(text, search)))[1].translations[0].hypotheses

            alone = {
                (text, number): await best(text, search)
                for text in texts[:4]
                for number, search in enumerate(searches)
            }

            async def cancelled(number):
                stream = call(texts[number % 20], searches[number % 2])
                for _ in range(draw.randrange(8)):
                    await stream.read()
                stream.cancel()

            async def watched(stop):
                for text, number in itertools.cycle(alone):
                    assert await best(text, searches[number]) == alone[text, number]
                    if stop.is_set():
                        return

            stop = asyncio.Event()
            others = asyncio.ensure_future(watched(stop))
            for start in range(0, streams, 50):
                many = range(start, min(start + 50, streams))
                await asyncio.gather(*(cancelled(number) for number in many))
            stop.set()
            await others
            await eventually(lambda: engine.statistics().running == 0)
            done = engine.statistics()
    assert (done.queued, done.running, done.running_rows) == (0, 0, 0)
    assert done.admitted == done.completed + done.cancelled
    assert done.cancelled > streams / 2
    assert max(runtime.late_steps.values(), default=0) <= 1
