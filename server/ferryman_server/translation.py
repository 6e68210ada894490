"""What comes out of a request: the translation of every text, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ferryman_bundle.manifest import LanguagePair
from ferryman_server.annotation import Annotation
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason
from ferryman_server.errors import ServiceError
from ferryman_server.glossary.terms import Term
from ferryman_server.text.passage import Sentence
from ferryman_server.text.span import Span


class WarningKind(StrEnum):
    """What the reader of a translation should know."""

    SOURCE_TRUNCATED = "source_truncated"
    SENTENCE_SPLIT = "sentence_split"
    TARGET_TRUNCATED = "target_truncated"
    UNKNOWN_CHARACTERS = "unknown_characters"
    PLACEHOLDER_LOST = "placeholder_lost"
    TRANSLATED_IN_PIECES = "translated_in_pieces"
    MARKUP_LOST = "markup_lost"
    REPETITION = "repetition"
    UNUSUAL_LENGTH = "unusual_length"
    SOURCE_COPIED = "source_copied"
    WRONG_SCRIPT = "wrong_script"
    NUMBER_MISSING = "number_missing"
    GLOSSARY_TERM_NOT_APPLIED = "glossary_term_not_applied"
    ATTENTION_OMITTED = "attention_omitted"


@dataclass(frozen=True, slots=True)
class TranslationWarning:
    """A warning about one part of a text."""

    kind: WarningKind
    span: Span

    @property
    def message(self) -> str:
        """The warning in words."""
        return _MESSAGES[self.kind]


_MESSAGES: Mapping[WarningKind, str] = {
    WarningKind.SOURCE_TRUNCATED: (
        "the sentence is longer than the model reads; its end is left out"
    ),
    WarningKind.SENTENCE_SPLIT: (
        "the sentence is longer than the model reads; it was translated in pieces"
    ),
    WarningKind.TARGET_TRUNCATED: (
        "the translation of the sentence reached its length limit and may be incomplete"
    ),
    WarningKind.ATTENTION_OMITTED: "the matrix of attention is too large to be sent",
    WarningKind.UNKNOWN_CHARACTERS: "the sentence has characters that the model does not know",
    WarningKind.PLACEHOLDER_LOST: "this is not in the translation, or not where it belongs",
    WarningKind.REPETITION: "the translation of the sentence repeats itself",
    WarningKind.UNUSUAL_LENGTH: (
        "the translation of the sentence is much shorter or longer than its source makes likely"
    ),
    WarningKind.SOURCE_COPIED: "the translation of the sentence is the sentence, or much of it",
    WarningKind.WRONG_SCRIPT: (
        "the translation of the sentence is in another script than its language"
    ),
    WarningKind.GLOSSARY_TERM_NOT_APPLIED: (
        "the translation of this term in the glossary is not in the translation"
    ),
    WarningKind.NUMBER_MISSING: "a number of the sentence is not in its translation",
    WarningKind.MARKUP_LOST: "tags may be around other words than in the source",
    WarningKind.TRANSLATED_IN_PIECES: (
        "the model would have lost something that must be kept, so the parts of the sentence "
        "around it were translated one by one"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentence:
    """One sentence of a text, or one piece of one that was too long, and its translation."""

    source: Span
    target: Span
    score: float
    log_prob: float
    token_count: int
    """Tokens of the translation; the end of the sentence counts where the model chose it."""
    finish_reason: FinishReason
    ids: tuple[int, ...] = ()
    """Tokens of the translation, without the end."""
    token_log_probs: tuple[float, ...] = ()
    """Of each token, and of the end where the model chose it."""
    quality: float = 1.0
    """Estimated, from 0 to 1."""
    read: Sentence | None = None
    """The sentence as the model read it; None where it read only pieces of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHypothesis:
    """One candidate translation of a text."""

    text: str
    score: float
    """The engine's, or `AppliedOptions.score` of several sentences; 0 for a text without words."""
    log_prob: float
    """The sum over the sentences."""
    token_count: int
    """The sum over the sentences."""
    sentences: tuple[TranslatedSentence, ...]
    annotation: Annotation | None = None
    """Of its tokens and words; None where nobody asked."""

    @property
    def quality(self) -> float:
        """Estimated, from 0 to 1: that of its sentences, each counted by its tokens."""
        tokens = sum(sentence.token_count for sentence in self.sentences)
        weighed = sum(sentence.quality * sentence.token_count for sentence in self.sentences)
        return weighed / tokens if tokens else 1.0

    @property
    def finish_reason(self) -> FinishReason:
        """The first reason that is not the end of a sentence, if there is one."""
        reasons = (sentence.finish_reason for sentence in self.sentences)
        return next((r for r in reasons if r is not FinishReason.EOS), FinishReason.EOS)


@dataclass(frozen=True, slots=True)
class TermMatch:
    """A term of the glossary in a text."""

    term: Term
    source: Span
    is_applied: bool
    """Whether the best hypothesis has its translation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTranslation:
    """The translation of one text, or why there is none."""

    hypotheses: tuple[TextHypothesis, ...] = ()
    """Best first; none where there is an error."""
    warnings: tuple[TranslationWarning, ...] = ()
    error: ServiceError | None = None
    route: tuple[str, ...] = ()
    """Languages that the text went through; none where it was translated directly."""
    is_piecewise: bool = False
    """Whether parts of sentences were translated one by one, around what must be kept."""
    terms: tuple[TermMatch, ...] = ()
    """Terms of the glossary that the text has."""
    is_second: bool = False
    """Whether a sentence is of a second try, after the first looked wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much there was to do, and where the time went."""

    characters: int = 0
    sentences: int = 0
    source_tokens: int = 0
    """Ends of sentences included."""
    target_tokens: int = 0
    """Of all hypotheses that are returned."""
    preparation_seconds: float = 0.0
    queue_seconds: float = 0.0
    """The longest of any sentence."""
    decode_seconds: float = 0.0
    """The longest of any sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationResult:
    """The answer to a `TranslationRequest`."""

    texts: tuple[TextTranslation, ...]
    """One for each text, in order."""
    model: str
    """The model that translated, as ``name@version``."""
    model_digest: str
    languages: LanguagePair
    decoding: AppliedOptions
    """The options applied: those of the request, and the model's where it had none."""
    work: Work = field(default_factory=Work)
