"""Scores, tokens and alignments over real sockets, by a model whose every token is as likely."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import grpc
import numpy as np
import pytest

from ferryman.v1.translation_service_pb2 import (
    ScoreTextRequest,
    TokenizeTextRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server import scoring_queue
from ferryman_server.engine import Priority
from ferryman_server.errors import DeadlineExceededError, QueueFullError
from ferryman_server.scoring_queue import ScoringQueue

EVERYTHING = {"tokens": True, "alignments": True, "attention": True}
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def pairs(*texts):
    return [{"source_text": source, "target_text": target} for source, target in texts]


async def test_pairs_are_scored_in_order_and_what_fails_fails_alone(serving):
    request = ScoreTextRequest(
        pairs=pairs(
            ("ab", "xyz"), ("", ""), ("", "x"), ("x" * 61, "x"), ("x", "y" * 81), ("x", "")
        ),
        request_id="mine",
    )
    async with serving() as (_, channel):
        response = await TranslationServiceStub(channel).ScoreText(request)
    first, blank, no_source, long_source, long_target, no_target = response.scores
    assert (first.log_prob, first.token_count) == (-1.0, 4)
    assert first.score == pytest.approx(-1.0 / 4**0.7)
    assert (blank.log_prob, blank.token_count, blank.HasField("error")) == (0.0, 0, False)
    assert no_target.token_count == 1
    for failed, path in [
        (no_source, "pairs[2].source_text"),
        (long_source, "pairs[3].source_text"),
        (long_target, "pairs[4].target_text"),
    ]:
        assert failed.error.code == INVALID.value[0]
        assert failed.error.message.startswith(path)
    assert (response.model, response.request_id) == ("letters@1.2.3", "mine")
    assert (response.usage.sentences, response.usage.target_tokens) == (2, 5)


async def test_tokens_links_and_attention_come_only_when_asked_for(serving):
    text = ("ab cd", "AB CD")
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        plain = (await stub.ScoreText(ScoreTextRequest(pairs=pairs(text)))).scores[0]
        full = (
            await stub.ScoreText(ScoreTextRequest(pairs=pairs(text), output=EVERYTHING))
        ).scores[0]
    assert not (plain.source_tokens)
    assert not (plain.alignments)
    assert not (plain.moses_alignments)
    assert not plain.HasField("attention")
    assert [token.piece for token in full.target_tokens] == [*"AB CD", "\x03"]
    assert {token.log_prob for token in full.target_tokens} == {-0.25}
    assert (full.target_tokens[4].span.start, full.target_tokens[4].span.end) == (4, 5)
    assert full.moses_alignments == "0-0 1-1"
    assert (full.alignments[1].source.start, full.alignments[1].target.end) == (3, 5)
    assert (full.attention.rows, full.attention.columns) == (6, 6)
    assert list(full.attention.weights) == np.eye(6).ravel().tolist()


async def test_a_translation_has_them_over_all_its_sentences(serving):
    text = "Ab cd.  Ef.\n"
    async with serving() as (_, channel):
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(
                contents=[text, " "], output=EVERYTHING, decoding={"num_hypotheses": 2}
            )
        )
    translation, blank = response.translations
    best, second = translation.hypotheses
    assert best.translated_text == "AB CD.  EF.\n"
    assert best.moses_alignments == "0-0 1-1 2-2"
    pieces = [best.translated_text[token.span.start : token.span.end] for token in best.tokens]
    assert pieces == [*"AB CD.", "", *"EF.", ""]
    assert [token.id for token in best.tokens if not token.piece.isprintable()] == [3, 3]
    assert len(translation.source_tokens) == best.attention.columns == 11
    weights = np.array(best.attention.weights).reshape(best.attention.rows, -1)
    assert weights.sum(axis=1).tolist() == [1.0] * 11
    assert weights[:7, 7:].sum() == weights[7:, :7].sum() == 0
    # The mark that the second hypothesis ends with looks at the end of the sentence.
    assert second.moses_alignments == "0-0 1-1 2-2"
    assert not (blank.source_tokens)
    assert not (blank.hypotheses[0].tokens)


async def test_attention_that_is_too_large_is_left_out_with_a_warning(serving):
    async with serving(max_attention_weights=24) as (_, channel):
        stub = TranslationServiceStub(channel)
        translated = await stub.TranslateText(
            TranslateTextRequest(contents=["abcd", "abc"], output={"attention": True})
        )
        scored = await stub.ScoreText(
            ScoreTextRequest(pairs=pairs(("abcd", "abcd")), output={"attention": True})
        )
    large, small = translated.translations
    assert [warning.code for warning in large.warnings] == [16]
    assert not large.hypotheses[0].HasField("attention")
    assert large.source_tokens
    assert (small.hypotheses[0].attention.rows, len(small.warnings)) == (4, 0)
    assert [warning.code for warning in scored.scores[0].warnings] == [16]


async def test_a_model_without_a_scorer_refuses_before_it_translates(serving, fails, model, engine):
    bare = replace(model, scorer=None, has_attention=False)
    blind = replace(model, has_attention=False)
    unavailable = grpc.StatusCode.FAILED_PRECONDITION
    async with serving(models=[bare]) as (_, channel):
        stub = TranslationServiceStub(channel)
        details = await fails(
            stub.TranslateText(TranslateTextRequest(contents=["x"], output=EVERYTHING)),
            unavailable,
        )
        await fails(stub.ScoreText(ScoreTextRequest(pairs=pairs(("x", "y")))), unavailable)
        await stub.TranslateText(TranslateTextRequest(contents=["x"], output={"tokens": True}))
    assert details["ErrorInfo"].metadata["feature"] == "output.alignments, output.attention"
    assert engine.submissions == 1
    async with serving(models=[blind]) as (_, channel):
        stub = TranslationServiceStub(channel)
        await stub.ScoreText(ScoreTextRequest(pairs=pairs(("x", "y")), output={"tokens": True}))
        await fails(
            stub.ScoreText(ScoreTextRequest(pairs=pairs(("x", "y")), output={"attention": True})),
            unavailable,
        )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "pairs"),
        ({"pairs": pairs(("x", "y")), "source_language_code": "?"}, "source_language_code"),
        ({"pairs": pairs(("x" * 200, "y"))}, "pairs[0].source_text"),
        ({"pairs": pairs(("x", "y")), "request_id": "\u00e9"}, "request_id"),
    ],
)
async def test_what_is_wrong_with_a_request_for_scores_is_told(serving, fails, fields, path):
    async with serving(max_text_characters=100) as (_, channel):
        call = TranslationServiceStub(channel).ScoreText(ScoreTextRequest(**fields))
        details = await fails(call, INVALID)
    assert details["BadRequest"].field_violations[0].field == path


async def test_texts_are_told_in_tokens_without_their_end(serving, fails):
    async with serving() as (_, channel):
        stub = TranslationServiceStub(channel)
        response = await stub.TokenizeText(TokenizeTextRequest(contents=["ab c", ""]))
        await fails(stub.TokenizeText(TokenizeTextRequest()), INVALID)
        await fails(
            stub.TokenizeText(TokenizeTextRequest(contents=["x"], model="words")),
            grpc.StatusCode.NOT_FOUND,
        )
    first, blank = response.texts
    assert [(t.piece, t.id, t.span.start, t.span.end) for t in first.tokens] == [
        (letter, ord(letter), i, i + 1) for i, letter in enumerate("ab c")
    ]
    assert not blank.tokens
    assert response.model == "letters@1.2.3"


class SlowScorer:
    """Scores nothing before it is told to."""

    def __init__(self):
        self.may_go = threading.Event()
        self.began = threading.Event()
        self.batches = []

    def score(self, sources, targets):
        self.began.set()
        assert self.may_go.wait(30)
        self.batches.append(len(sources))
        return [object() for _ in sources]


async def test_the_queue_takes_few_at_a_time_refuses_what_is_too_much_and_ends_at_deadlines():
    queue, slow = ScoringQueue(max_tokens=300), SlowScorer()
    pair = ((1,) * 4, (2,) * 4)
    first = asyncio.ensure_future(queue.score(slow, [pair] * 20, None))
    while not slow.began.is_set():
        await asyncio.sleep(0.001)
    with pytest.raises(QueueFullError) as caught:
        await queue.score(slow, [pair] * 20, None)
    assert caught.value.retry_after > 0
    late = asyncio.ensure_future(queue.score(slow, [pair], 0.0))
    with pytest.raises(DeadlineExceededError):
        await late
    slow.may_go.set()
    assert len(await first) == 20
    assert slow.batches == [8, 8, 4]
    assert len(await queue.score(slow, [pair] * 20, None)) == 20
    queue.close()


async def test_scores_come_in_the_order_of_the_pairs_whatever_their_lengths(scorer):
    queue = ScoringQueue(max_tokens=1)
    lengths = [9, 1, 5, 30, 2, 7, 3, 8, 11, 4, 6]
    scored = await queue.score(scorer, [((1,) * n, (2,) * n) for n in lengths], None)
    assert [len(one.token_log_probs) - 1 for one in scored] == lengths
    queue.close()


async def test_who_is_in_a_hurry_is_scored_first_and_who_waits_long_is_not_passed_over(monkeypatch):
    queue, slow = ScoringQueue(max_tokens=10_000), SlowScorer()
    order = []

    async def ask(name, priority):
        await queue.score(slow, [((1,), (2,))], None, priority)
        order.append(name)

    first = asyncio.ensure_future(ask("first", Priority.LOW))
    while not slow.began.is_set():
        await asyncio.sleep(0.001)
    clock = time.monotonic()
    others = []
    for name, seconds, priority in [
        ("long ago", -25, Priority.LOW),
        ("low", 0, Priority.LOW),
        ("normal", 0, Priority.NORMAL),
        ("gone", 0, Priority.HIGH),
        ("high", 0, Priority.HIGH),
    ]:
        monkeypatch.setattr(scoring_queue.time, "monotonic", lambda s=seconds: clock + s)
        others.append(asyncio.ensure_future(ask(name, priority)))
        await asyncio.sleep(0)
    monkeypatch.undo()
    others[3].cancel()
    slow.may_go.set()
    await asyncio.gather(first, *others, return_exceptions=True)
    assert order == ["first", "long ago", "high", "normal", "low"]
    queue.close()
