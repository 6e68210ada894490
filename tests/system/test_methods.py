"""Every method of the contract, over a real socket, by the default model in a process."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import grpc
import pytest

from ferryman.v1.translation_service_pb2 import (
    ScoreTextRequest,
    StreamTranslateTextRequest,
    TokenizeTextRequest,
    TranslateBatchRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub

BUNDLE = Path(__file__).parents[2] / "models/en-fr/ferryman_model_en_fr/bundle"
TEXT = (
    "The network is not available, so the file could not be opened.\n\n"
    "  Press any key to continue \U0001f600 with the installation. Good morning."
)


@pytest.fixture(scope="module")
def stub(serving):
    with (
        serving(BUNDLE, "--workers", "1", "--trial-seconds", "0") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield TranslationServiceStub(channel)
        assert "Traceback" not in server.log


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_stream_tells_token_by_token_what_the_whole_answer_says(stub, beam_size):
    request = TranslateTextRequest(contents=[TEXT, "One."], decoding={"beam_size": beam_size})
    plain = stub.TranslateText(request)
    *messages, last = stub.StreamTranslateText(StreamTranslateTextRequest(request=request))

    assert last.result.translations == plain.translations
    deltas = [message.delta for message in messages]
    for index, translation in enumerate(plain.translations):
        own = [delta for delta in deltas if delta.index == index]
        assert "".join(delta.text for delta in own) == translation.hypotheses[0].translated_text
        assert all(a.token_count <= b.token_count for a, b in pairwise(own))
        assert own[-1].token_count == translation.hypotheses[0].token_count
    assert len(deltas) > 4, "pieces come while the text is decoded, not at the end"


def test_a_batch_answers_every_line_as_a_single_call_would(stub):
    lines = [f"Press key {number}. It is not available." for number in range(40)] + [""]
    plain = stub.TranslateText(TranslateTextRequest(contents=lines)).translations
    requests = [
        TranslateBatchRequest(config=TranslateTextRequest()),
        *(TranslateBatchRequest(item={"id": i, "content": line}) for i, line in enumerate(lines)),
    ]
    first, *rest = stub.TranslateBatch(iter(requests))

    assert first.started.model.startswith("en-fr@")
    assert len(first.started.model_digest) == 64
    results = {message.result.id: message.result.translation for message in rest}
    assert [results[number] for number in range(len(lines))] == list(plain)


def test_a_translation_scores_as_its_search_said_and_is_linked_word_by_word(stub):
    source = "The network is not available."
    response = stub.TranslateText(
        TranslateTextRequest(
            contents=[source],
            output={"tokens": True, "alignments": True, "attention": True},
        )
    )
    (translation,) = response.translations
    best = translation.hypotheses[0]
    scored = stub.ScoreText(
        ScoreTextRequest(
            pairs=[{"source_text": source, "target_text": best.translated_text}],
            output={"tokens": True, "alignments": True},
        )
    ).scores[0]

    assert (
        "".join(best.translated_text[t.span.start : t.span.end] for t in best.tokens)
        == best.translated_text
    )
    assert "".join(source[t.span.start : t.span.end] for t in translation.source_tokens) == source
    assert sum(token.log_prob for token in best.tokens) == pytest.approx(best.log_prob, abs=1e-4)
    assert scored.token_count == best.token_count
    assert scored.log_prob == pytest.approx(best.log_prob, abs=0.05)
    assert scored.moses_alignments == best.moses_alignments
    links = {
        (source[a.source.start : a.source.end], best.translated_text[a.target.start : a.target.end])
        for a in best.alignments
    }
    assert ("network", "réseau") in links
    rows, columns = best.attention.rows, best.attention.columns
    assert (rows, columns) == (len(best.tokens), len(translation.source_tokens))
    for row in range(rows):
        weights = best.attention.weights[row * columns : (row + 1) * columns]
        assert sum(weights) == pytest.approx(1, abs=1e-3)


def test_a_better_translation_scores_better(stub):
    source = "Press any key to continue."
    pairs = [
        {"source_text": source, "target_text": target}
        for target in ("Appuyez sur une touche pour continuer.", "continuer touche une sur Le le.")
    ]
    good, bad = stub.ScoreText(ScoreTextRequest(pairs=pairs)).scores
    assert good.log_prob > bad.log_prob + 5


def test_alternatives_follow_a_prefix(stub):
    request = TranslateTextRequest(
        contents=["The network is not available."],
        target_prefixes=["Le réseau"],
        output={"alternatives_at_prefix": 4},
    )
    hypotheses = stub.TranslateText(request).translations[0].hypotheses
    assert len({hypothesis.translated_text for hypothesis in hypotheses}) == 4
    assert all(h.translated_text.startswith("Le réseau") for h in hypotheses)


def test_tokens_are_those_of_the_model(stub):
    text = "Naïve  users\tof the \U0001f600."
    (tokenized,) = stub.TokenizeText(TokenizeTextRequest(contents=[text])).texts
    assert "".join(text[t.span.start : t.span.end] for t in tokenized.tokens) == text
    assert [t.piece for t in tokenized.tokens][-1] == "."


@pytest.mark.parametrize(
    "fields",
    [
        {"contents": ["Open %s and {name} at https://example.org/a?b=1 now. Then press any key."]},
        {
            "contents": ["<p>Press <b>any</b> key.</p>\n<p>Good morning.</p>"],
            "mime_type": "text/html",
        },
        {"contents": ["# Title\n\nPress `any` key."], "mime_type": "text/markdown"},
        {"contents": ["Good morning."], "do_not_translate": ["morning"]},
        {"contents": ["Good morning."], "target_prefixes": ["Bon"]},
        {"contents": ["Good morning. " * 3], "decoding": {"sampling": {"seed": 3}}},
    ],
)
def test_what_a_stream_tells_is_the_answer_whatever_is_done_to_the_text(stub, fields):
    # Tokens have no place in a document.
    shown = {} if "mime_type" in fields else {"tokens": True, "alignments": True}
    request = TranslateTextRequest(output=shown, **fields)
    *messages, last = stub.StreamTranslateText(StreamTranslateTextRequest(request=request))
    best = last.result.translations[0].hypotheses[0]
    assert "".join(message.delta.text for message in messages) == best.translated_text
    assert [m.delta.is_last for m in messages] == [False] * (len(messages) - 1) + [True]
