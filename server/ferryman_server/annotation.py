"""What is known of the tokens and words of a text and of its translation.

Dimension key:
    S: source tokens with the end    T: target tokens, the end included where it came
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferryman_server.engine.search import Floats
from ferryman_server.model import Tokenizer
from ferryman_server.text.passage import Sentence
from ferryman_server.text.span import Span
from ferryman_server.word_links import WordLink, Words, link_words


@dataclass(frozen=True, slots=True)
class Detail:
    """What is asked for of each token and word."""

    tokens: bool = False
    alignments: bool = False
    attention: bool = False
    sentences: bool = False
    """Which sentence became which; known of every translation, so it costs nothing."""

    @property
    def needs_attention(self) -> bool:
        """Whether a scorer is to look at the translations."""
        return self.alignments or self.attention

    def __bool__(self) -> bool:
        return self.tokens or self.needs_attention


@dataclass(frozen=True, slots=True)
class PlacedToken:
    """One token, and where it is in its text."""

    piece: str
    id: int
    span: Span
    log_prob: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SentenceTokens:
    """A sentence and a translation of it as tokens in their texts."""

    source: tuple[PlacedToken, ...]
    """The end included, (S)."""
    target: tuple[PlacedToken, ...]
    """The end included where it came, (T)."""
    attention: Floats | None = None
    """What each target token looked at, (T, S); None where nobody asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """What is known of a text and one translation of it, over all its sentences."""

    source: tuple[PlacedToken, ...]
    target: tuple[PlacedToken, ...]
    links: tuple[WordLink, ...] = ()
    attention: Floats | None = None
    """Over all tokens, 0 between different sentences; None where not asked for, or omitted."""
    is_omitted: bool = False
    """Whether the attention was asked for, and is larger than the server sends."""


def place_text(
    tokenizer: Tokenizer,
    text: str,
    span: Span,
    end: int,
    *,
    most: int | None = None,
    log_probs: Sequence[float] = (),
) -> tuple[PlacedToken, ...]:
    """Return the tokens of a given sentence, its end included, with their places in the text.

    Args:
        tokenizer: The model's.
        text: The whole text.
        span: Where the sentence is.
        end: The token that ends a sentence.
        most: How many of its tokens the model read; None for all.
        log_probs: Of each token and the end; none where they have none, as in a source.
    """
    tokens = [
        (token, _moved(place, span.start))
        for token, place in tokenizer.encode_with_spans(span.of(text))[:most]
    ]
    tokens.append((end, Span(span.end, span.end)))
    return tuple(
        PlacedToken(tokenizer.piece(token), token, place, log_prob)
        for (token, place), log_prob in zip(tokens, log_probs or [0.0] * len(tokens), strict=True)
    )


def place_read(
    tokenizer: Tokenizer, text: str, sentence: Sentence, end: int
) -> tuple[PlacedToken, ...]:
    """Return the tokens of a sentence as the model read it, its end included, with their places.

    Args:
        tokenizer: The model's.
        text: The whole text.
        sentence: What the model read of it.
        end: The token that ends a sentence.
    """
    count = len(sentence.tokens)
    if sentence.shield is None:
        return place_text(tokenizer, text, sentence.span, end, most=count)
    places = tokenizer.encode_with_spans(sentence.shield.text, reserved=True)[:count]
    offsets = sentence.source_offsets()
    tokens = [(token, Span(offsets[first], offsets[last])) for token, (first, last) in places]
    tokens.append((end, Span(sentence.span.end, sentence.span.end)))
    return tuple(PlacedToken(tokenizer.piece(token), token, place) for token, place in tokens)


def place_decoded(
    tokenizer: Tokenizer,
    ids: Sequence[int],
    log_probs: Sequence[float],
    span: Span,
    end: int,
    *,
    read: Sentence | None = None,
) -> tuple[PlacedToken, ...]:
    """Return the tokens of a translated sentence with their places in the translated text.

    Args:
        tokenizer: The model's.
        ids: The tokens, without the end.
        log_probs: Of each token, and of the end where it came.
        span: Where the sentence is in the translated text.
        end: The token that ends a sentence.
        read: What it is the translation of, if that has protected spans.
    """
    places = tokenizer.decode_with_spans(ids)
    if read is not None and read.shield is not None:
        offsets = read.target_offsets(tokenizer.decode(ids))
        places = [(offsets[first], offsets[last]) for first, last in places]
    moved = [_moved(place, span.start) for place in places]
    tokens = list(ids)
    if len(log_probs) > len(ids):
        tokens.append(end)
        moved.append(Span(span.end, span.end))
    return tuple(
        PlacedToken(tokenizer.piece(token), token, place, log_prob)
        for token, place, log_prob in zip(tokens, moved, log_probs, strict=True)
    )


def annotate(
    sentences: Sequence[SentenceTokens],
    source_text: str,
    target_text: str,
    detail: Detail,
    *,
    max_weights: int,
) -> Annotation:
    """Put together what is known of the sentences of a text.

    Args:
        sentences: In order.
        source_text: The text.
        target_text: Its translation.
        detail: What is asked for.
        max_weights: The most weights that a matrix of attention may have.
    """
    source_words, target_words = Words(source_text), Words(target_text)
    links: list[WordLink] = []
    if detail.alignments:
        for sentence in sentences:
            if sentence.attention is None:
                continue
            links += link_words(
                sentence.attention,
                [source_words.number_at(token.span) for token in sentence.source],
                [target_words.number_at(token.span) for token in sentence.target],
                source_words,
                target_words,
            )
    source = tuple(token for sentence in sentences for token in sentence.source)
    target = tuple(token for sentence in sentences for token in sentence.target)
    fits = len(source) * len(target) <= max_weights
    return Annotation(
        source=source,
        target=target,
        links=tuple(links),
        attention=_block_diagonal(sentences) if detail.attention and fits else None,
        is_omitted=detail.attention and not fits,
    )


def _block_diagonal(sentences: Sequence[SentenceTokens]) -> Floats:
    """Return the attention of all sentences in one matrix."""
    rows = sum(len(sentence.target) for sentence in sentences)
    columns = sum(len(sentence.source) for sentence in sentences)
    whole = np.zeros((rows, columns), np.float32)
    row = column = 0
    for sentence in sentences:
        if sentence.attention is not None:
            height, width = sentence.attention.shape
            whole[row : row + height, column : column + width] = sentence.attention
        row += len(sentence.target)
        column += len(sentence.source)
    return whole


def _moved(place: tuple[int, int], offset: int) -> Span:
    return Span(place[0] + offset, place[1] + offset)
