"""Which words of documents go where: asked of the scorer for sentences with tags within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ferryman_server.composition import PreparedText
from ferryman_server.engine.search import Floats
from ferryman_server.errors import DeadlineExceededError, QueueFullError
from ferryman_server.markup.document import Document
from ferryman_server.markup.placement import Alignment, align_words
from ferryman_server.model import Model
from ferryman_server.rounds.task import Candidate, Outcome
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.text.passage import Sentence

Place = tuple[int, int]
"""A sentence of a request, counted over all its texts, and the rank of a candidate."""


@dataclass(frozen=True, slots=True)
class _Due:
    place: Place
    read: Sentence
    source: str
    """What the model read."""
    candidate: Candidate


async def align_documents(
    model: Model,
    prepared: Sequence[PreparedText],
    outcomes: Sequence[Outcome],
    queue: ScoringQueue,
    deadline: float | None,
) -> Mapping[Place, Alignment]:
    """Return the alignment of each candidate of each sentence that has tags within it.

    Those that cannot be had (a model without attention, no time, no room) are left out: tags then
    go by the proportions of the sentence, and the answer says so.

    Args:
        model: What translated.
        prepared: The texts of a request.
        outcomes: One for each of their sentences, in order.
        queue: Where translations are scored.
        deadline: On `time.monotonic`'s clock.
    """
    due = _due(prepared, outcomes)
    if not due or model.scorer is None or not model.has_attention:
        return {}
    pairs = [(one.read.tokens, one.candidate.ids) for one in due]
    try:
        scored = await queue.score(model.scorer, pairs, deadline)
    except (QueueFullError, DeadlineExceededError):
        return {}
    return {
        one.place: _alignment(model, one, found.attention)
        for one, found in zip(due, scored, strict=True)
        if found.attention is not None
    }


def _due(prepared: Sequence[PreparedText], outcomes: Sequence[Outcome]) -> list[_Due]:
    due: list[_Due] = []
    first = 0
    for text in prepared:
        if isinstance(text, Document):
            for number in text.tagged:
                for rank, candidate in enumerate(outcomes[first + number].candidates):
                    if candidate.read is not None and candidate.ids:
                        read = candidate.read
                        source = read.span.of(text.texts[number])
                        if read.shield is not None:
                            source = read.shield.text
                        due.append(_Due((first + number, rank), read, source, candidate))
        if not isinstance(text, Exception):
            first += len(text.sentences)
    return due


def _alignment(model: Model, due: _Due, attention: Floats) -> Alignment:
    tokenizer, read = model.tokenizer, due.read
    offsets = read.source_offsets()
    places = tokenizer.encode_with_spans(due.source, reserved=read.shield is not None)
    return align_words(
        due.candidate.written,
        tokenizer.decode_with_spans(due.candidate.ids),
        [(offsets[first], offsets[last]) for _, (first, last) in places[: len(read.tokens)]],
        attention,
    )
