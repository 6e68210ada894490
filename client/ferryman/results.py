"""What a translation consists of, as a caller sees it. Everything here is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ferryman.errors import FerrymanError


class FinishReason(StrEnum):
    """Why a translation ends where it ends."""

    EOS = "eos"
    """The model ended it."""
    MAX_TOKENS = "max_tokens"
    """It reached its limit; the rest is missing."""
    LOOP_GUARD = "loop_guard"
    """It was cut because the model had begun to repeat itself."""
    UNKNOWN = "unknown"
    """The server gave no reason, or one that this client does not know."""


class Span(NamedTuple):
    """A part of a text, so that it is ``text[span.start : span.end]``."""

    start: int
    """Offset of its first code point."""
    end: int
    """Offset after its last code point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a text; ``str()`` of it is the piece."""

    piece: str
    """As it is in the vocabulary."""
    id: int
    """Its number in the vocabulary."""
    log_prob: float
    """Natural logarithm of its probability after the tokens before it; 0 for a source token."""
    span: Span
    """Where it is in the text; empty for one that stands for nothing in it, as the end."""

    def __str__(self) -> str:
        return self.piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """A link between a word of the source and a word of its translation."""

    source: Span
    """The word in the source."""
    target: Span
    """The word in the translation."""
    weight: float
    """Weight of the link, from 0 to 1."""


Attention = tuple[tuple[float, ...], ...]
"""How much each token of a hypothesis, a row, attended to each token of its source, a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence that a text was split into."""

    source: Span
    """Where it is in the source."""
    target: Span
    """Where its translation is."""
    score: float
    """As `Hypothesis.score`, for this sentence alone."""
    log_prob: float
    """As `Hypothesis.log_prob`, for this sentence alone."""
    token_count: int
    """As `Hypothesis.token_count`, for this sentence alone."""
    finish_reason: FinishReason
    """Why its translation ends where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One candidate translation."""

    text: str
    """The translation."""
    score: float
    """What hypotheses are ranked by, higher is better: ``log_prob``, normalised by length."""
    log_prob: float
    """Natural logarithm of the probability that the model gives to this translation."""
    token_count: int
    """Tokens that the model generated, ends of sentence included."""
    finish_reason: FinishReason
    """Why it ends where it ends."""
    tokens: tuple[Token, ...] = ()
    """Its tokens, the ends of sentence included; asked for by `Output.tokens`."""
    alignments: tuple[Alignment, ...] = ()
    """Word links, by position in the source; asked for by `Output.alignments`."""
    attention: Attention | None = None
    """Cross-attention; asked for by `Output.attention`."""
    sentences: tuple[Sentence, ...] = ()
    """Its sentences, in order; asked for by `Output.sentences`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationWarning:
    """Something that the reader of a translation should know, but that did not prevent it."""

    code: str
    """Stable name, as ``source_truncated``."""
    message: str
    """The same in words."""
    span: Span | None
    """The part of the source that it is about, so that it is ``source[start:end]``; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The translation of one text; ``str()`` of it is the translated text."""

    source: str
    """The text that was translated."""
    hypotheses: tuple[Hypothesis, ...]
    """Candidate translations, best first; empty when there is an ``error``."""
    model: str
    """Model that translated, as ``en-fr@1.0.0``."""
    source_language: str
    """BCP-47 code of the language of the source; empty when the server does not say."""
    target_language: str
    """BCP-47 code of the language of the translation; empty when the server does not say."""
    warnings: tuple[TranslationWarning, ...] = ()
    """What the reader should know."""
    route: tuple[str, ...] = ()
    """Languages that the text went through, as ``("de", "en", "fr")``; empty: directly."""
    source_tokens: tuple[Token, ...] = ()
    """Tokens of the source; asked for by `Output.tokens` or `Output.attention`."""
    error: FerrymanError | None = None
    """Why this text of several has no translation though others have one."""

    @property
    def best(self) -> Hypothesis:
        """The best hypothesis.

        Raises:
            FerrymanError: This text could not be translated; it is ``error``.
        """
        if self.error is not None:
            raise self.error
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The translated text.

        Raises:
            FerrymanError: This text could not be translated; it is ``error``.
        """
        return self.best.text

    @property
    def score(self) -> float:
        """The score of the best hypothesis.

        Raises:
            FerrymanError: This text could not be translated; it is ``error``.
        """
        return self.best.score

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationScore:
    """How likely a model finds a given translation."""

    source: str
    """The sentence."""
    target: str
    """Its translation."""
    score: float
    """``log_prob``, normalised by length, higher is better."""
    log_prob: float
    """Natural logarithm of the probability of the translation, its end included."""
    token_count: int
    """Tokens of the translation, its end included."""
    model: str
    """Model that scored, as ``en-fr@1.0.0``."""
    source_tokens: tuple[Token, ...] = ()
    """Tokens of the sentence; asked for by `Output.tokens`."""
    target_tokens: tuple[Token, ...] = ()
    """Tokens of the translation with their log-probabilities; asked for by `Output.tokens`."""
    alignments: tuple[Alignment, ...] = ()
    """Word links; asked for by `Output.alignments`."""
    attention: Attention | None = None
    """Cross-attention; asked for by `Output.attention`."""
    error: FerrymanError | None = None
    """Why this pair of several has no score though others have one."""
