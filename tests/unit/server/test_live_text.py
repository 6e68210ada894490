"""Pieces of translations: together they are the translation, and none ends within a character."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_server.engine import FinishReason, Hypothesis, Job, Result, Search
from ferryman_server.live_text import LiveTexts
from ferryman_server.protection.detection import ProtectionOptions
from ferryman_server.text.passage import TextOptions, prepare_passage
from ferryman_server.translation import TextHypothesis, TextTranslation

MODEL = Path(__file__).parents[3] / "models/en-fr/ferryman_model_en_fr/bundle/tokenizer.model"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.load(MODEL)


class _Model:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer


def passage(text, tokenizer):
    return prepare_passage(text, TextOptions(), language="en", encoder=tokenizer, max_tokens=60)


def result_of(ids):
    best = Hypothesis(
        ids=tuple(ids),
        token_log_probs=(-0.5,) * (len(ids) + 1),
        log_prob=-0.5,
        score=-0.5,
        finish_reason=FinishReason.EOS,
    )
    return Result(hypotheses=(best,), queue_seconds=0.0, decode_seconds=0.0, steps=1)


def done(result):
    future = Future()
    future.set_result(result)
    return future


def follow(texts, tokenizer):
    """Return what is live, the passages, and the jobs that tell of their tokens."""
    live = LiveTexts()
    passages = [passage(text, tokenizer) for text in texts]
    jobs = [
        Job(source=sentence.tokens, search=Search(max_tokens=60))
        for text in passages
        for sentence in text.sentences
    ]
    return live, passages, live.follow(passages, jobs, _Model(tokenizer))


def translations(passages, targets, tokenizer):
    """Compose texts as the server does."""
    remaining = iter(targets)
    for text in passages:
        ids = [next(remaining) for _ in text.sentences]
        composed, _ = text.compose([tokenizer.decode(i) for i in ids])
        best = TextHypothesis(
            text=composed, score=0.0, log_prob=0.0, token_count=sum(map(len, ids)), sentences=()
        )
        yield TextTranslation(hypotheses=(best,))


TARGETS = [
    "Le réseau n'est pas disponible.",
    "日本語 \U0001f600 e\u0301",
    "x",
    "  a  b",
    "\ufffd?",
    "",
]


@given(st.lists(st.text(max_size=12) | st.sampled_from(TARGETS), min_size=3, max_size=3), st.data())
async def test_pieces_in_any_order_of_events_are_the_translation(tokenizer, targets, data):
    live, passages, jobs = follow(["One.  Two.\n", " ", "\n\tThree"], tokenizer)
    ids = [tokenizer.encode(target) for target in targets]
    told = {0: [], 1: [], 2: []}
    positions = [0, 0, 0]
    open_jobs = [0, 1, 2]
    while open_jobs:
        number = data.draw(st.sampled_from(open_jobs))
        count = data.draw(st.integers(1, 3))
        piece = tuple(ids[number][positions[number] : positions[number] + count])
        if piece:
            jobs[number].listener(piece)
            positions[number] += count
        else:
            live.end(number, done(result_of(ids[number])))
            open_jobs.remove(number)
        for delta in live.take():
            told[delta.index].append(delta)
    finals = list(translations(passages, ids, tokenizer))
    for delta in live.finish(finals):
        told[delta.index].append(delta)

    for index, deltas in told.items():
        assert "".join(delta.text for delta in deltas) == finals[index].hypotheses[0].text
        assert [delta.is_last for delta in deltas] == [False] * (len(deltas) - 1) + [True]
        assert all(a.token_count <= b.token_count for a, b in pairwise(deltas))


async def test_bytes_that_are_no_character_yet_wait_for_the_rest(tokenizer):
    live, _, jobs = follow(["One"], tokenizer)
    ids = tokenizer.encode("a\U0001f9ff b")
    pieces = []
    for token in ids:
        jobs[0].listener((token,))
        pieces += [delta.text for delta in live.take()]
    assert "\ufffd" not in "".join(pieces)
    assert pieces == ["a", "\U0001f9ff", " b"]


async def test_a_placeholder_is_told_as_it_is_in_the_source(tokenizer):
    options = TextOptions(protection=ProtectionOptions())
    text = prepare_passage("Open %s.", options, language="en", encoder=tokenizer, max_tokens=60)
    (sentence,) = text.sentences
    assert sentence.shield is not None
    jobs = [Job(source=sentence.tokens, search=Search(max_tokens=9))]
    live = LiveTexts()
    (job,) = live.follow([text], jobs, _Model(tokenizer))
    pieces = []
    for token in tokenizer.encode(sentence.shield.text, reserved=True):
        job.listener((token,))
        pieces += [delta.text for delta in live.take()]
    assert "".join(pieces) == "Open %s."
    assert len(pieces) > 2


async def test_a_sentence_waits_for_those_before_it(tokenizer):
    live, _, jobs = follow(["One. Two."], tokenizer)
    jobs[1].listener(tuple(tokenizer.encode("Deux.")))
    assert list(live.take()) == []
    live.end(0, done(result_of(tokenizer.encode("Un."))))
    assert [delta.text for delta in live.take()] == ["Un. Deux."]


async def test_what_was_told_and_is_not_so_is_an_error_not_a_wrong_answer(tokenizer):
    live, passages, jobs = follow(["One"], tokenizer)
    jobs[0].listener(tuple(tokenizer.encode("Deux")))
    assert [delta.text for delta in live.take()] == ["Deux"]
    with pytest.raises(RuntimeError, match="told otherwise"):
        list(live.finish(list(translations(passages, [tokenizer.encode("Un")], tokenizer))))


async def test_a_text_that_was_not_followed_is_told_at_the_end(tokenizer):
    live = LiveTexts()
    finals = list(translations([passage("One", tokenizer)], [tokenizer.encode("Un")], tokenizer))
    assert [(d.index, d.text, d.is_last) for d in live.finish(finals)] == [(0, "Un", True)]


async def test_nothing_is_overlooked_when_threads_tell_while_the_loop_takes(tokenizer, seed):
    ids = random.Random(seed).choices(range(100, 2000), k=400)
    live, passages, jobs = follow(["One"], tokenizer)

    def tell():
        for token in ids:
            jobs[0].listener((token,))
        live.end(0, done(result_of(ids)))

    thread = threading.Thread(target=tell)
    thread.start()
    pieces = []
    async with asyncio.timeout(60):
        while not (pieces and pieces[-1].is_last):
            await live.wait()
            pieces += live.take()
    thread.join()
    final = next(translations(passages, [ids], tokenizer))
    assert "".join(delta.text for delta in pieces) == final.hypotheses[0].text
