"""A request through a model that writes in upper case."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ferryman_server.catalogue import Catalogue
from ferryman_server.engine import (
    DeadlineError,
    EngineStoppedError,
    FinishReason,
    OverloadedError,
    Phase,
    UnavailableError,
)
from ferryman_server.errors import (
    DeadlineExceededError,
    FeatureUnavailableError,
    InputTooLongError,
    InvalidRequestError,
    QueueFullError,
    ServerDrainingError,
)
from ferryman_server.limits import Limits
from ferryman_server.request import DecodingOptions, TranslationRequest
from ferryman_server.text.passage import LongInput, TextOptions
from ferryman_server.text.span import Span
from ferryman_server.translation import WarningKind
from ferryman_server.translator import Translator


@pytest.fixture
def translator(model):
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield Translator(Catalogue([model]), Limits(max_queued_tokens=1000), executor)


def request(*texts: str, **fields) -> TranslationRequest:
    return TranslationRequest(texts=texts, **fields)


async def test_texts_are_answered_in_order_with_their_layout(translator):
    result = await translator.translate(request("One. Two.\n\n  three", "", " \n", "-- é --"))
    assert [text.hypotheses[0].text for text in result.texts] == [
        "ONE. TWO.\n\n  THREE",
        "",
        " \n",
        "-- É --",
    ]
    assert result.model == "letters@1.2.3"
    assert (result.languages.source, result.languages.target) == ("en", "fr")


async def test_all_sentences_of_a_request_are_submitted_at_once(translator, engine):
    await translator.translate(request("One. Two. Three.", "Four. Five."))
    assert engine.submissions == 1
    assert len(engine.jobs) == 5


async def test_a_blank_text_never_reaches_the_engine(translator, engine):
    result = await translator.translate(request("", "  ", "---"))
    assert engine.submissions == 0
    for text in result.texts:
        (hypothesis,) = text.hypotheses
        assert hypothesis.finish_reason is FinishReason.EOS
        assert (hypothesis.log_prob, hypothesis.token_count, hypothesis.score) == (0, 0, 0)


async def test_the_search_is_the_models_own_unless_the_request_says_otherwise(translator, engine):
    await translator.translate(request("ten tokens"))
    await translator.translate(
        request("ten tokens", decoding=DecodingOptions(beam_size=1, max_length_ratio=0.5))
    )
    own, other = (job.search for job in engine.jobs)
    assert (own.beam_size, own.length_penalty, own.max_tokens) == (3, 0.7, 10 * 2 + 10)
    assert (other.beam_size, other.length_penalty, other.max_tokens) == (1, 0.7, 5 + 10)


async def test_scores_of_a_text_are_those_of_all_its_sentences(translator):
    result = await translator.translate(request("Abc. De."))
    (text,) = result.texts
    hypothesis = text.hypotheses[0]
    tokens = len("ABC.") + len("DE.") + 2
    assert hypothesis.token_count == tokens
    assert hypothesis.log_prob == pytest.approx(-0.25 * tokens)
    assert hypothesis.score == pytest.approx(-0.25 * tokens / tokens**0.7)
    first, second = hypothesis.sentences
    assert (first.source, first.target) == (Span(0, 4), Span(0, 4))
    assert second.score == -0.25 * 4 / 4**0.7


async def test_the_score_of_one_sentence_is_the_engines_to_the_last_bit(translator):
    result = await translator.translate(request("Abcdefg."))
    hypothesis = result.texts[0].hypotheses[0]
    assert hypothesis.score == hypothesis.sentences[0].score


async def test_the_candidates_of_a_text_join_those_of_its_sentences_by_rank(translator):
    options = DecodingOptions(num_hypotheses=3)
    result = await translator.translate(request("Ab. Cd.", decoding=options))
    assert [h.text for h in result.texts[0].hypotheses] == ["AB. CD.", "AB.! CD.!", "AB.!! CD.!!"]


async def test_spans_are_those_of_the_translated_text(translator):
    options = DecodingOptions(num_hypotheses=3)
    result = await translator.translate(request("Ab. Cd.", decoding=options))
    third = result.texts[0].hypotheses[2]
    assert [s.target.of(third.text) for s in third.sentences] == ["AB.!!", "CD.!!"]


async def test_what_went_not_quite_as_it_should_is_said(translator, engine):
    long = "clause one of a long sentence, " * 5
    result = await translator.translate(request(f"{long} Fine. Bad \x01."))
    kinds = {warning.kind: warning.span for warning in result.texts[0].warnings}
    assert kinds[WarningKind.SENTENCE_SPLIT].start == 0
    assert kinds[WarningKind.UNKNOWN_CHARACTERS].of(f"{long} Fine. Bad \x01.") == "Bad \x01."

    truncate = TextOptions(long_input=LongInput.TRUNCATE)
    result = await translator.translate(request("x" * 61, text=truncate))
    assert [w.kind for w in result.texts[0].warnings] == [WarningKind.SOURCE_TRUNCATED]

    short = DecodingOptions(max_tokens=2)
    result = await translator.translate(request("abcdef", decoding=short))
    assert [w.kind for w in result.texts[0].warnings] == [WarningKind.TARGET_TRUNCATED]
    assert result.texts[0].hypotheses[0].finish_reason is FinishReason.MAX_TOKENS


async def test_one_text_that_is_refused_leaves_the_others_alone(translator):
    refuse = TextOptions(long_input=LongInput.ERROR)
    result = await translator.translate(request("fine", "x" * 61, "fine too", text=refuse))
    assert [bool(text.hypotheses) for text in result.texts] == [True, False, True]
    error = result.texts[1].error
    assert isinstance(error, InputTooLongError)
    assert error.metadata == {"length": "61", "limit": "60", "unit": "tokens"}
    assert error.faults[0].path == "contents[1]"
    assert result.texts[2].hypotheses[0].text == "FINE TOO"


async def test_what_could_never_be_queued_is_refused_for_good(translator, engine):
    with pytest.raises(InputTooLongError) as caught:
        await translator.translate(request("word " * 250))
    assert caught.value.metadata["limit"] == "1000"
    assert engine.submissions == 0


async def test_work_is_counted(translator):
    work = (await translator.translate(request("Ab. Cd.", ""))).work
    assert (work.characters, work.sentences) == (7, 2)
    assert (work.source_tokens, work.target_tokens) == (3 + 1 + 3 + 1, 3 + 1 + 3 + 1)
    assert (work.queue_seconds, work.decode_seconds) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(OverloadedError(3.0), QueueFullError), (EngineStoppedError(), ServerDrainingError)],
)
async def test_a_refusal_of_the_engine_reaches_the_caller(translator, engine, refusal, error):
    engine.refusal = refusal
    with pytest.raises(error) as caught:
        await translator.translate(request("text"))
    assert caught.value.retry_after == (3.0 if error is QueueFullError else 1.0)


async def test_a_deadline_that_has_passed_is_told_without_a_decode_step(translator, engine):
    with pytest.raises(DeadlineExceededError) as caught:
        await translator.translate(request("text", deadline=time.monotonic() - 1))
    assert caught.value.reason == "QUEUE_DEADLINE"
    assert engine.submissions == 0


async def test_the_deadline_goes_with_every_job(translator, engine):
    deadline = time.monotonic() + 60
    await translator.translate(request("One. Two.", deadline=deadline))
    assert [job.deadline for job in engine.jobs] == [deadline, deadline]


async def test_an_error_of_one_sentence_frees_all_the_others(translator, engine):
    engine.holds = True
    answer = asyncio.ensure_future(translator.translate(request("One. Two. Three.")))
    while not engine.futures:
        await asyncio.sleep(0)
    engine.futures[1].set_exception(DeadlineError(Phase.DECODING))
    with pytest.raises(DeadlineExceededError):
        await answer
    assert [future.cancelled() for future in engine.futures] == [True, False, True]


@pytest.mark.parametrize(
    ("phase", "reason"),
    [(Phase.QUEUED, "QUEUE_DEADLINE"), (Phase.DECODING, "DECODE_DEADLINE")],
)
async def test_a_deadline_says_where_it_passed(translator, engine, phase, reason):
    engine.failure = DeadlineError(phase)
    with pytest.raises(DeadlineExceededError) as caught:
        await translator.translate(request("One."))
    assert caught.value.reason == reason


async def test_what_takes_a_graph_that_the_model_lacks_is_unavailable(translator, engine):
    engine.refusal = UnavailableError(["prefix", "repetition_penalty"], "step_full")
    with pytest.raises(FeatureUnavailableError) as caught:
        await translator.translate(request("One."))
    paths = [fault.path for fault in caught.value.faults]
    assert paths == ["target_prefixes", "decoding.repetition_penalty"]
    assert "step_full" in str(caught.value)


async def test_a_prefix_is_the_start_of_the_first_sentence(translator, engine):
    await translator.translate(request("One. Two.", "Six.", target_prefixes=("Le", "")))
    assert [job.search.prefix for job in engine.jobs] == [(ord("L"), ord("e")), (), ()]


async def test_a_prefix_that_the_model_cannot_write_is_refused(translator, engine):
    long = "x" * 80
    with pytest.raises(InvalidRequestError, match="fewer than the 80 tokens") as caught:
        await translator.translate(request("One.", "Two.", target_prefixes=("", long)))
    assert [fault.path for fault in caught.value.faults] == ["target_prefixes[1]"]
    with pytest.raises(InvalidRequestError, match="cannot write"):
        await translator.translate(request("One.", target_prefixes=("\x01",)))
    assert engine.submissions == 0


async def test_what_is_suppressed_is_suppressed_in_every_sentence(translator, engine):
    options = DecodingOptions(suppress=("ab", "c"))
    await translator.translate(request("One. Two.", decoding=options))
    expected = ((ord("a"), ord("b")), (ord("c"),))
    assert [job.search.suppressed for job in engine.jobs] == [expected, expected]


async def test_alternatives_are_the_hypotheses_of_a_text(translator, engine):
    result = await translator.translate(request("One. Two.", alternatives=3))
    assert [job.search.alternatives for job in engine.jobs] == [3, 0]
    assert len(result.texts[0].hypotheses) == 3
    assert result.decoding.num_hypotheses == 3


async def test_cancelling_frees_the_engine(translator, engine):
    engine.holds = True
    answer = asyncio.ensure_future(translator.translate(request("One. Two.")))
    while not engine.futures:
        await asyncio.sleep(0)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert all(future.cancelled() for future in engine.futures)


async def test_the_loop_runs_on_while_a_text_is_prepared(translator, model, monkeypatch):
    ticks = 0

    def encode(text: str) -> list[int]:
        seen = ticks
        give_up = time.monotonic() + 5
        while ticks < seen + 10 and time.monotonic() < give_up:
            time.sleep(0.001)
        return [65]

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(model.tokenizer, "encode", encode)
    ticking = asyncio.ensure_future(tick())
    await translator.translate(request("text"))
    ticking.cancel()
    assert ticks >= 10
