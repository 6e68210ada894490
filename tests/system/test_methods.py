"""Every method of the contract, over a real socket, by the default model in a process."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import grpc
import pytest

from ferryman.v1.translation_service_pb2 import (
    StreamTranslateTextRequest,
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
