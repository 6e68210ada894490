"""Both clients, against a real server: what comes back, in which order, and what is cancelled."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from concurrent import futures
from datetime import UTC, datetime

import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

import ferryman
from ferryman import AsyncClient, Beam, Client, FinishReason, Greedy, LengthPenalty, Sampling
from ferryman.v1.options_pb2 import DecodingOptions


def test_one_text_becomes_one_translation(client):
    translation = client.translate("abc", source="en", target="fr")

    assert str(translation) == translation.text == "cba"
    assert translation.source == "abc"
    assert translation.model == "reversal@1.0.0"
    assert (translation.source_language, translation.target_language) == ("en", "fr")
    assert translation.best.finish_reason is FinishReason.EOS
    assert (translation.score, translation.best.log_prob) == (-0.5, -1.5)
    assert translation.best.token_count == 3


def test_a_list_becomes_a_list_in_its_order(client):
    texts = [f"text {number}" for number in range(1000)]

    translations = client.translate(texts)

    assert [each.source for each in translations] == texts
    assert [each.text for each in translations] == [text[::-1] for text in texts]


def test_no_texts_are_no_call(client, service):
    assert client.translate([]) == []
    assert service.requests == []


def test_blank_texts_come_back_blank_at_their_places(client):
    texts = ["", "a", "  ", "\n", "b", ""]

    assert [each.text for each in client.translate(texts)] == texts


def test_a_text_is_not_taken_for_its_characters(client):
    with pytest.raises(TypeError, match="translate"):
        client.translate_each("abc")


def test_what_is_no_text_is_refused_by_its_place(client):
    with pytest.raises(TypeError, match=r"contents\[1\] is bytes, not str"):
        client.translate(["a", b"b"])


def test_surrogates_are_refused_by_their_place(client, service):
    with pytest.raises(ferryman.InvalidRequestError, match=r"contents\[1\].*offset 2"):
        client.translate(["good", "a \udce9"])
    assert service.requests == []


def test_a_request_says_what_the_caller_asked_for(client, service):
    client.translate(
        "a",
        source="en",
        target="de",
        model="m@2",
        search=Beam(5, num_hypotheses=2, length_penalty=0.0, max_tokens=9, min_tokens=1),
    )

    (request,) = service.requests
    assert (request.source_language_code, request.target_language_code) == ("en", "de")
    assert request.model == "m@2"
    decoding = request.decoding
    assert (decoding.beam_size, decoding.num_hypotheses) == (5, 2)
    assert decoding.HasField("length_penalty")
    assert decoding.length_penalty == 0.0
    assert (decoding.min_tokens, decoding.max_tokens) == (1, 9)


def test_what_the_caller_leaves_open_is_not_sent(client, service):
    client.translate("a")
    client.translate("a", search=Greedy())

    open_request, greedy_request = service.requests
    assert not open_request.HasField("decoding")
    assert {field.name for field, _ in greedy_request.decoding.ListFields()} == {
        "beam_size",
        "num_hypotheses",
    }


def test_every_way_to_search_is_sent(client, service):
    beam = Beam(
        4,
        length_penalty_kind=LengthPenalty.GNMT,
        coverage_penalty=0.25,
        patience=2.0,
        early_stopping=True,
        groups=2,
        diversity_penalty=0.5,
        max_length_ratio=1.5,
        min_length_ratio=0.5,
        repetition_penalty=1.25,
        no_repeat_ngram_size=3,
        suppress=["a", "b c"],
        loop_guard_tokens=0,
    )
    client.translate("a", search=beam)
    client.translate(
        "a",
        search=Sampling(
            seed=0, num_hypotheses=3, temperature=0.75, top_k=0, top_p=0.5, min_p=0.125
        ),
    )

    beam_request, sampling_request = (request.decoding for request in service.requests)
    assert beam_request == DecodingOptions(
        beam_size=4,
        num_hypotheses=1,
        length_penalty_kind="LENGTH_PENALTY_KIND_GNMT",
        coverage_penalty=0.25,
        patience=2,
        early_stopping=True,
        beam_groups=2,
        diversity_penalty=0.5,
        max_length_ratio=1.5,
        min_length_ratio=0.5,
        repetition_penalty=1.25,
        no_repeat_ngram_size=3,
        suppress=["a", "b c"],
        loop_guard_tokens=0,
    )
    drawing = {"seed": 0, "temperature": 0.75, "top_k": 0, "top_p": 0.5, "min_p": 0.125}
    assert sampling_request == DecodingOptions(beam_size=1, num_hypotheses=3, sampling=drawing)


def test_long_lists_go_out_in_requests_below_the_limits(client, service):
    service.limits.max_contents = 7
    service.limits.max_request_bytes = 5000

    texts = ["x" * (number * 37 % 300) for number in range(100)]
    translations = client.translate(texts)

    assert [each.source for each in translations] == texts
    assert all(1 <= len(request.contents) <= 7 for request in service.requests)
    assert all(request.ByteSize() <= 5000 for request in service.requests)


def test_a_text_above_the_message_limit_is_refused_before_it_is_sent(client, service):
    service.limits.max_request_bytes = 10_000

    with pytest.raises(ferryman.InputTooLongError, match=r"contents\[1\].*10000 bytes"):
        client.translate(["a", "x" * 10_000])
    assert service.requests == []


def test_a_server_without_info_is_served_with_small_requests(client, service):
    service.lacks_info = True

    assert len(client.translate(["a"] * 200)) == 200
    assert max(len(request.contents) for request in service.requests) <= 64


def test_texts_are_taken_no_faster_than_translations(client, service):
    service.limits.max_contents = 2
    taken = itertools.count()
    texts = (f"text {next(taken)}" for _ in range(10_000))

    translations = client.translate_each(texts, take=5)

    assert [each.source for each in translations] == [f"text {number}" for number in range(5)]
    assert next(taken) < 30


def test_leaving_an_iteration_cancels_what_is_on_the_way(client, service):
    service.limits.max_contents = 1
    service.held = {"1", "2", "3"}

    def wait_for_all_requests():
        for _ in range(4):
            assert service.received.acquire(timeout=5)

    client.translate_each(map(str, range(100)), take=1, before_leaving=wait_for_all_requests)

    for _ in range(3):
        assert service.cancelled.acquire(timeout=5)


def test_a_deadline_ends_the_call_and_the_work(connect, address, service):
    service.held = {"a"}
    with connect(address) as client:
        begun = time.monotonic()
        with pytest.raises(ferryman.DeadlineError, match=r"within 0\.2 s"):
            client.translate("a", timeout=0.2)

    assert time.monotonic() - begun < 5
    assert service.cancelled.acquire(timeout=5)


def test_a_timeout_bounds_all_requests_of_a_list_together(connect, address, service):
    service.limits.max_contents = 1
    service.held = {"a"}
    with connect(address, concurrency=1) as client:
        begun = time.monotonic()
        with pytest.raises(ferryman.DeadlineError):
            client.translate(["a"] * 8, timeout=0.5)

    assert 0.4 < time.monotonic() - begun < 4  # eight in turn


def test_every_call_has_a_deadline_by_default(connect, address, service):
    service.held = {"a"}
    with connect(address, timeout=0.2) as client, pytest.raises(ferryman.DeadlineError):
        client.translate("a")


def test_one_failed_text_fails_alone(client, service):
    info = error_details_pb2.ErrorInfo(reason="INPUT_TOO_LONG", domain="ferryman")
    service.fail_one_text(1, "INVALID_ARGUMENT", "too long", info)

    good, bad, last = client.translate(["a", "b", "c"])

    assert (good.text, last.text) == ("a", "c")
    assert isinstance(bad.error, ferryman.InputTooLongError)
    with pytest.raises(ferryman.InputTooLongError, match="too long"):
        _ = bad.text


def test_one_failed_text_alone_raises(client, service):
    service.fail_one_text(0, "INVALID_ARGUMENT", "too long")

    with pytest.raises(ferryman.InvalidRequestError, match="too long"):
        client.translate("a")


def test_errors_count_the_texts_of_the_caller_not_of_the_request(connect, address, service):
    service.limits.max_contents = 10
    violation = error_details_pb2.BadRequest.FieldViolation(field="contents[3]", description="odd")
    service.answer(lambda response: None)
    service.fail(
        "INVALID_ARGUMENT",
        "contents[3]: odd",
        error_details_pb2.BadRequest(field_violations=[violation]),
    )

    with (
        connect(address, concurrency=1) as client,
        pytest.raises(ferryman.InvalidRequestError, match=r"contents\[13\]: odd") as caught,
    ):
        client.translate(["a"] * 20)
    assert caught.value.field_violations[0].field == "contents[13]"


def test_a_server_that_loses_a_text_is_caught(client, service):
    service.answer(lambda response: response.translations.pop())

    with pytest.raises(ferryman.ServerError, match="1 translations came back for 2 texts"):
        client.translate(["a", "b"])


def test_a_server_that_answers_nothing_for_a_text_is_caught(client, service):
    service.answer(lambda response: response.translations[0].ClearField("hypotheses"))

    with pytest.raises(ferryman.ServerError, match="neither") as caught:
        client.translate("a")
    assert caught.value.request_id == "call-1"


def test_warnings_and_later_values_of_enums_are_passed_on(client, service):
    def change(response):
        (translation,) = response.translations
        translation.warnings.add(code=1, message="cut").span.end = 4
        translation.warnings.add(code=99, message="news")
        translation.hypotheses[0].finish_reason = 99
        translation.route.extend(["de", "en", "fr"])

    service.answer(change)

    translation = client.translate("a")

    cut, news = translation.warnings
    assert (cut.code, cut.message, cut.span) == ("source_truncated", "cut", (0, 4))
    assert (news.code, news.span) == ("unspecified", None)
    assert translation.best.finish_reason is FinishReason.UNKNOWN
    assert translation.route == ("de", "en", "fr")


def test_lists_are_read_page_by_page(client):
    models = client.models()

    assert [str(model) for model in models] == [f"m{number}@1.0.0" for number in range(5)]
    assert models[0].default
    assert models[0].quality is None
    assert models[1].quality.bleu == 31.5
    assert [str(pair) for pair in client.language_pairs()] == ["en-de", "en-fr", "en-ro"]
    assert [str(pair) for pair in client.language_pairs(model="m1")] == ["en-fr"]


def test_a_server_describes_itself(client):
    info = client.info()

    assert info.version == "0.1.0"
    assert info.device.provider == "CPUExecutionProvider"
    assert info.limits.max_contents == 1024
    assert info.limits.max_beam_size is None
    assert info.features == ("output.tokens",)
    assert info.started == datetime.fromtimestamp(1_000_000, UTC)


async def test_a_closed_client_says_so(address):
    client = Client(address)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.translate("a")

    async_client = AsyncClient(address)
    await async_client.close()
    with pytest.raises(RuntimeError, match="closed"):
        await async_client.translate("a")


def test_closing_a_client_ends_the_calls_of_other_threads(address, service):
    service.held = {"a"}
    with Client(address) as client, futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(client.translate, "a")
        assert service.received.acquire(timeout=5)
        client.close()
        with pytest.raises(ferryman.RequestCancelledError):
            answer.result(5)
    assert service.cancelled.acquire(timeout=5)


async def test_a_cancelled_task_cancels_its_call(address, service):
    service.held = {"a"}
    async with AsyncClient(address) as client:
        task = asyncio.create_task(client.translate("a"))
        while not service.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(service.cancelled.acquire, timeout=5)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"timeout": 0.0}, "above 0"),
        ({"timeout": float("nan")}, "above 0"),
        ({"concurrency": 0}, "at least 1"),
        ({"address": "http://host:1"}, "host:port"),
    ],
)
def test_wrong_settings_are_refused_at_once(connect, options, fault):
    with pytest.raises(ValueError, match=fault):
        connect(**{"address": "127.0.0.1:1", **options})


def test_many_threads_may_use_one_client(address):
    answers = {}

    def work(client, name):
        answers[name] = [client.translate(f"{name}{turn}").text for turn in range(20)]

    with Client(address, timeout=20.0) as client:
        threads = [threading.Thread(target=work, args=(client, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {name: [f"{name}{turn}"[::-1] for turn in range(20)] for name in "abcd"}


@given(texts=st.lists(st.text(max_size=40), max_size=40), limit=st.integers(1, 9))
def test_any_list_is_answered_one_to_one_and_in_order(shared_client, texts, limit):
    client, service = shared_client
    service.limits.max_contents = limit
    client._session.chunk_size = None

    translations = client.translate(texts)

    assert [each.source for each in translations] == texts
    assert [each.text for each in translations] == [
        text[::-1] if text.strip() else text for text in texts
    ]


def test_a_retry_of_one_attempt_is_one_request(impatient_client, service):
    service.fail("UNAVAILABLE", "not now")
    with pytest.raises(ferryman.UnavailableError, match="not now"):
        impatient_client.translate("a")
    assert len(service.requests) == 1
