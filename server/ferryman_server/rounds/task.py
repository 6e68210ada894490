"""A sentence to translate, and what came of trying."""

from __future__ import annotations

from dataclasses import dataclass

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason, Hypothesis, Priority
from ferryman_server.glossary.terms import FoundTerm
from ferryman_server.model import Model
from ferryman_server.protection.shield import Carried, without_reserved
from ferryman_server.suspicion.signals import Doubt
from ferryman_server.text.passage import Sentence

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One sentence to translate, and how."""

    sentence: Sentence
    number: int
    """Of the sentence in its text, from 0."""
    options: AppliedOptions
    model: Model
    text: str = ""
    """The sentence as a reader sees it."""
    languages: tuple[str, str] = ("", "")
    """BCP-47 codes of what it is in, and of what it is translated into."""
    passage: str = ""
    """The text that the sentence is in."""
    terms: tuple[FoundTerm, ...] = ()
    """Terms of the glossary in the sentence, with their places in the passage."""
    prefix: str = ""
    """What its translation starts with."""
    suppressed: tuple[Ids, ...] = ()
    """Sequences of tokens that its translation may not contain."""
    deadline: float | None = None
    priority: Priority = Priority.NORMAL
    client: str = ""
    """Who asks, as `Job.client`."""

    def encode(self, text: str) -> Ids:
        """Return the token ids of a text without protected spans."""
        return tuple(self.model.tokenizer.encode(text))

    @property
    def prefix_tokens(self) -> Ids:
        """The prefix, with the tokens of the spans that it has."""
        shield = self.sentence.shield
        if not self.prefix or shield is None:
            return self.encode(self.prefix) if self.prefix else ()
        written = shield.applied_to(without_reserved(self.prefix))
        return tuple(self.model.tokenizer.encode(written, reserved=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate translation of a sentence."""

    text: str
    """With its protected spans."""
    written: str
    """As the model wrote it, with a reserved character for each span."""
    hypotheses: tuple[Hypothesis, ...]
    """Of the engine: one, or one for each piece."""
    read: Sentence | None
    """The sentence as the model read it; None where it read only pieces."""
    score: float
    log_prob: float
    token_count: int
    finish_reason: FinishReason
    lost: tuple[Carried, ...] = ()
    """Protected spans that it does not have just once, or not in their order."""

    @property
    def ids(self) -> Ids:
        """Its tokens, without the end; none of a translation in pieces."""
        return self.hypotheses[0].ids if self.read is not None else ()

    @property
    def token_log_probs(self) -> tuple[float, ...]:
        """Of each token, and of the end where the model chose it."""
        return self.hypotheses[0].token_log_probs if self.read is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt."""

    candidates: tuple[Candidate, ...]
    """Best first."""
    is_piecewise: bool = False
    """Whether the parts between protected spans were translated one by one."""
    terms: tuple[FoundTerm, ...] = ()
    """Terms of the glossary in the sentence."""
    missing_terms: tuple[FoundTerm, ...] = ()
    """Terms whose translation the best candidate lacks."""
    is_second: bool = False
    """Whether it is of a second try, after the first looked wrong."""
    doubts: frozenset[Doubt] = frozenset()
    """What looks wrong about the best candidate."""

    @property
    def keeps_spans(self) -> bool:
        """Whether every candidate has all protected spans."""
        return not any(candidate.lost for candidate in self.candidates)
