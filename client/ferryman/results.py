"""What a translation consists of, as a caller sees it. Everything here is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationWarning:
    """Something that the reader of a translation should know, but that did not prevent it."""

    code: str
    """Stable name, as ``source_truncated``."""
    message: str
    """The same in words."""
    span: tuple[int, int] | None
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
