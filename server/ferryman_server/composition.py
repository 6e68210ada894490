"""From the candidates of sentences to candidate translations of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason
from ferryman_server.errors import InputTooLongError
from ferryman_server.markup.document import Document
from ferryman_server.markup.placement import Alignment
from ferryman_server.model import Model
from ferryman_server.rounds.task import Candidate, Outcome
from ferryman_server.suspicion.quality import estimate_quality
from ferryman_server.suspicion.signals import Doubt
from ferryman_server.text.passage import Passage
from ferryman_server.text.span import Span
from ferryman_server.translation import (
    TermMatch,
    TextHypothesis,
    TextTranslation,
    TranslatedSentence,
    TranslationWarning,
    WarningKind,
)

PreparedText = Passage | Document | InputTooLongError
"""A text as sentences, or why it has no translation."""
Alignments = Mapping[tuple[int, int], Alignment]
"""By the number of a sentence in its request, and the rank of a candidate."""


def compose_translations(
    prepared: Sequence[PreparedText],
    outcomes: Sequence[Outcome],
    options: AppliedOptions,
    model: Model,
    alignments: Alignments,
) -> tuple[TextTranslation, ...]:
    """Put the texts together again.

    Args:
        prepared: The texts of a request.
        outcomes: One for each sentence of the passages, in their order.
        options: How they were decoded.
        model: What decoded them.
        alignments: Of sentences with tags within them, as far as they are known.
    """
    texts: list[TextTranslation] = []
    first = 0
    for text in prepared:
        if isinstance(text, InputTooLongError):
            texts.append(TextTranslation(error=text))
            continue
        own = outcomes[first : first + len(text.sentences)]
        known = {(i - first, rank): found for (i, rank), found in alignments.items() if i >= first}
        texts.append(_compose(text, own, options, model, known))
        first += len(own)
    return tuple(texts)


def _compose(
    text: Passage | Document,
    outcomes: Sequence[Outcome],
    options: AppliedOptions,
    model: Model,
    alignments: Alignments,
) -> TextTranslation:
    """Translate one text: its i-th candidate has the i-th best hypothesis of every sentence.

    A sentence that has fewer repeats its last one, so that every candidate is complete.
    """
    count = max((len(outcome.candidates) for outcome in outcomes), default=1)
    hypotheses: list[TextHypothesis] = []
    misplaced: Sequence[int] = ()
    for rank in range(count):
        ranks = [min(rank, len(outcome.candidates) - 1) for outcome in outcomes]
        chosen = [outcome.candidates[i] for outcome, i in zip(outcomes, ranks, strict=True)]
        if isinstance(text, Passage):
            whole, targets = text.compose([candidate.text for candidate in chosen])
        else:
            known = {
                number: alignments[number, own]
                for number, own in enumerate(ranks)
                if (number, own) in alignments
            }
            composed = text.compose(chosen, known)
            whole, targets = composed.text, list(composed.targets)
            misplaced = misplaced if rank else composed.misplaced
        # Only the best candidate was looked at.
        doubted = [frozenset() if rank else outcome.doubts for outcome in outcomes]
        hypotheses.append(_hypothesis(text, whole, targets, chosen, doubted, options))
    best = [outcome.candidates[0] for outcome in outcomes]
    return TextTranslation(
        hypotheses=tuple(hypotheses),
        warnings=tuple(_warnings(text, outcomes, best, misplaced, model)),
        is_piecewise=any(outcome.is_piecewise for outcome in outcomes),
        terms=tuple(
            TermMatch(
                found.term,
                found.span if isinstance(text, Passage) else place,
                found not in outcome.missing_terms,
            )
            for place, outcome in zip(_places(text), outcomes, strict=True)
            for found in outcome.terms
        ),
        is_second=any(outcome.is_second for outcome in outcomes),
    )


def _places(text: Passage | Document) -> list[Span]:
    """Return where each sentence is, or in a document the block that it is in."""
    if isinstance(text, Document):
        return list(text.sources)
    return [sentence.span for sentence in text.sentences]


def _hypothesis(
    text: Passage | Document,
    whole: str,
    targets: Sequence[Span],
    chosen: Sequence[Candidate],
    doubted: Sequence[frozenset[Doubt]],
    options: AppliedOptions,
) -> TextHypothesis:
    sentences = tuple(
        TranslatedSentence(
            source=source,
            target=target,
            score=candidate.score,
            log_prob=candidate.log_prob,
            token_count=candidate.token_count,
            finish_reason=candidate.finish_reason,
            ids=candidate.ids,
            token_log_probs=candidate.token_log_probs,
            read=candidate.read,
            quality=estimate_quality(
                [p for hypothesis in candidate.hypotheses for p in hypothesis.token_log_probs],
                doubts,
            ),
        )
        for source, target, candidate, doubts in zip(
            _places(text), targets, chosen, doubted, strict=True
        )
    )
    tokens = sum(sentence.token_count for sentence in sentences)
    log_prob = sum(sentence.log_prob for sentence in sentences)
    # The engine's own figure, to the last bit, where there is one.
    score = sentences[0].score if len(sentences) == 1 else options.score(log_prob, tokens)
    return TextHypothesis(
        text=whole, score=score, log_prob=log_prob, token_count=tokens, sentences=sentences
    )


def _warnings(
    text: Passage | Document,
    outcomes: Sequence[Outcome],
    best: Sequence[Candidate],
    misplaced: Sequence[int],
    model: Model,
) -> Iterator[TranslationWarning]:
    unknown = model.manifest.tokens.unknown
    places = _places(text)
    sentences = list(zip(text.sentences, places, outcomes, best, strict=True))
    is_document = isinstance(text, Document)
    parts: list[tuple[WarningKind, Iterable[Span]]] = [
        (WarningKind.SOURCE_TRUNCATED, text.truncated),
        (WarningKind.SENTENCE_SPLIT, text.split),
        (
            WarningKind.UNKNOWN_CHARACTERS,
            [place for sentence, place, _, _ in sentences if unknown in sentence.tokens],
        ),
        (
            WarningKind.TARGET_TRUNCATED,
            [p for _, p, _, c in sentences if c.finish_reason is FinishReason.MAX_TOKENS],
        ),
        (WarningKind.TRANSLATED_IN_PIECES, [p for _, p, o, _ in sentences if o.is_piecewise]),
        (
            WarningKind.PLACEHOLDER_LOST,
            [p if is_document else one.span for _, p, _, c in sentences for one in c.lost],
        ),
        (
            WarningKind.GLOSSARY_TERM_NOT_APPLIED,
            [p if is_document else t.span for _, p, o, _ in sentences for t in o.missing_terms],
        ),
        *(
            (WarningKind(doubt), [p for _, p, o, _ in sentences if doubt in o.doubts])
            for doubt in Doubt
        ),
        (WarningKind.MARKUP_LOST, [places[number] for number in misplaced]),
    ]
    for kind, spans in parts:
        yield from (TranslationWarning(kind, span) for span in spans)
