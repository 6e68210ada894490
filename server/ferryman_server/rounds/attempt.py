"""Ways to translate one sentence: as it is, bound to carry its spans, or piece by piece."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ferryman_bundle.tokenizer import RESERVED
from ferryman_server.engine import FinishReason, Hypothesis, Job, Result, Search
from ferryman_server.glossary.terms import FoundTerm
from ferryman_server.model import Tokenizer
from ferryman_server.protection.detection import Protected
from ferryman_server.protection.kinds import Kind
from ferryman_server.protection.shield import MOST_SPANS, Carried, shielded, without_reserved
from ferryman_server.rounds.task import Candidate, Ids, Outcome, Task
from ferryman_server.suspicion.signals import Doubt
from ferryman_server.text.passage import Sentence
from ferryman_server.text.sentences import has_words

_SECOND_NGRAM: Final = 3
_SECOND_LEAST_LENGTH: Final = 0.5
"""Tokens for each of the source."""
_MOST_SUPPRESSED: Final = 32
_AROUND_RESERVED: Final = re.compile(f"([{RESERVED[0]}-{RESERVED[-1]}])")


class Attempt(Protocol):
    """A way to translate one sentence."""

    @property
    def task(self) -> Task:
        """The sentence."""
        ...

    @property
    def jobs(self) -> Sequence[Job]:
        """What the engine is to do for it."""
        ...

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return what came of it, from the results of its jobs."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """The sentence as it is: the model carries the reserved characters by itself."""

    task: Task

    @property
    def jobs(self) -> Sequence[Job]:
        """One for the sentence."""
        return [_job(self.task, _search(self.task, self.task.sentence.tokens))]

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return a candidate for each hypothesis."""
        (result,) = results
        return Outcome(candidates=tuple(_candidate(self.task, h) for h in result.hypotheses))


@dataclass(frozen=True, slots=True)
class Bound:
    """The sentence with a search that has every span once, in order, and no other."""

    task: Task

    @property
    def jobs(self) -> Sequence[Job]:
        """One for the sentence."""
        task = self.task
        ids = reserved_ids(task.model.tokenizer)
        shield = task.sentence.shield
        chains = () if shield is None else shield.chains
        required = tuple(tuple(ids[character] for character in chain) for chain in chains)
        own = {token for chain in required for token in chain}
        foreign = tuple((token,) for token in sorted(set(ids.values()) - own))
        return [
            _job(
                task,
                _search(
                    task,
                    task.sentence.tokens,
                    required=required,
                    suppressed=task.suppressed + foreign,
                ),
            )
        ]

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return a candidate for each hypothesis."""
        return Plain(self.task).outcome(results)


@dataclass(frozen=True, slots=True)
class Termed:
    """The sentence with terms as spans that must be carried, restored as their translations."""

    task: Task
    terms: tuple[FoundTerm, ...]

    @property
    def jobs(self) -> Sequence[Job]:
        """One for the sentence."""
        return Bound(self._shielded).jobs

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return a candidate for each hypothesis."""
        return Plain(self._shielded).outcome(results)

    @property
    def _shielded(self) -> Task:
        task, sentence = self.task, self.task.sentence
        carried = sentence.shield.carried if sentence.shield is not None else ()
        protected = [Protected(one.span, one.kind, one.chain < 0) for one in carried]
        for found in self.terms:
            if not any(
                one.span.start < found.span.end and found.span.start < one.span.end
                for one in protected
            ):
                protected.append(Protected(found.span, Kind.TERM, replacement=found.term.target))
        protected.sort(key=lambda one: one.span)
        shield = shielded(task.passage, sentence.span, protected)
        if len(shield.carried) > MOST_SPANS:
            return task
        tokens = tuple(task.model.tokenizer.encode(shield.text, reserved=True))
        return replace(task, sentence=Sentence(sentence.span, tokens, shield))


@dataclass(frozen=True, slots=True)
class Second:
    """The sentence by another search, which avoids what was wrong about the first one."""

    task: Task
    doubts: frozenset[Doubt]

    @property
    def jobs(self) -> Sequence[Job]:
        """One for the sentence."""
        return Bound(self._other).jobs if self.task.sentence.shield else Plain(self._other).jobs

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return a candidate for each hypothesis."""
        return replace(Plain(self._other).outcome(results), is_second=True)

    @property
    def _other(self) -> Task:
        task, options = self.task, self.task.options
        options = replace(
            options,
            beam_size=max(options.beam_size, task.model.manifest.generation.beam_size),
            no_repeat_ngram_size=options.no_repeat_ngram_size or _SECOND_NGRAM,
            min_length_ratio=max(options.min_length_ratio, _SECOND_LEAST_LENGTH),
        )
        if Doubt.SOURCE_COPIED not in self.doubts:
            return replace(task, options=options)
        tokens = task.sentence.tokens
        copies = tuple(dict.fromkeys(zip(tokens, tokens[1:], tokens[2:], strict=False)))
        suppressed = task.suppressed + copies[:_MOST_SUPPRESSED]
        return replace(task, options=options, suppressed=suppressed)


@dataclass(frozen=True, slots=True)
class Piecewise:
    """The parts between the spans one by one, joined with the spans as in the source."""

    task: Task

    @property
    def jobs(self) -> Sequence[Job]:
        """One for each part that has words."""
        return [
            _job(self.task, _search(self.task, tokens, number=self.task.number + 1), tokens)
            for part in self._parts
            if has_words(part) and (tokens := self.task.encode(part.strip()))
        ]

    def outcome(self, results: Sequence[Result]) -> Outcome:
        """Return candidates whose i-th has the i-th hypothesis of every part."""
        count = max((len(result.hypotheses) for result in results), default=1)
        return Outcome(
            candidates=tuple(self._candidate(results, rank) for rank in range(count)),
            is_piecewise=True,
        )

    @property
    def _parts(self) -> list[str]:
        shield = self.task.sentence.shield
        assert shield is not None
        return _AROUND_RESERVED.split(shield.text)

    def _candidate(self, results: Sequence[Result], rank: int) -> Candidate:
        remaining = iter(results)
        written: list[str] = []
        chosen: list[Hypothesis] = []
        for part in self._parts:
            if not (has_words(part) and self.task.encode(part.strip())):
                written.append(part)
                continue
            result = next(remaining)
            hypothesis = result.hypotheses[min(rank, len(result.hypotheses) - 1)]
            chosen.append(hypothesis)
            before = part[: len(part) - len(part.lstrip())]
            after = part[len(part.rstrip()) :]
            text = without_reserved(self.task.model.tokenizer.decode(hypothesis.ids))
            written.append(f"{before}{text}{after}")
        log_prob = sum(hypothesis.log_prob for hypothesis in chosen)
        tokens = sum(len(hypothesis.token_log_probs) for hypothesis in chosen)
        reasons = (h.finish_reason for h in chosen if h.finish_reason is not FinishReason.EOS)
        return _restored(
            self.task,
            "".join(written),
            hypotheses=tuple(chosen),
            read=None,
            score=self.task.options.score(log_prob, tokens),
            log_prob=log_prob,
            token_count=tokens,
            finish_reason=next(reasons, FinishReason.EOS),
        )


@functools.lru_cache(maxsize=64)
def reserved_ids(tokenizer: Tokenizer) -> Mapping[str, int]:
    """Return the token of each reserved character that the vocabulary of a tokenizer has."""
    ids: dict[str, int] = {}
    for character in RESERVED:
        # A piece for the space before it may come first.
        *_, token = tokenizer.encode(character, reserved=True)
        if tokenizer.decode([token]) == character:
            ids[character] = token
    return ids


def _search(
    task: Task,
    tokens: Ids,
    *,
    number: int | None = None,
    required: tuple[Ids, ...] = (),
    suppressed: tuple[Ids, ...] | None = None,
) -> Search:
    first = number is None and task.number == 0
    return task.options.search(
        len(tokens),
        number=task.number if number is None else number,
        prefix=task.prefix_tokens if first else (),
        suppressed=task.suppressed if suppressed is None else suppressed,
        required=required,
    )


def _job(task: Task, search: Search, tokens: Ids | None = None) -> Job:
    source = task.sentence.tokens if tokens is None else tokens
    return Job(
        source=source,
        search=search,
        deadline=task.deadline,
        priority=task.priority,
        client=task.client,
    )


def _candidate(task: Task, hypothesis: Hypothesis) -> Candidate:
    return _restored(
        task,
        task.model.tokenizer.decode(hypothesis.ids),
        hypotheses=(hypothesis,),
        read=task.sentence,
        score=hypothesis.score,
        log_prob=hypothesis.log_prob,
        token_count=len(hypothesis.token_log_probs),
        finish_reason=hypothesis.finish_reason,
    )


def _restored(
    task: Task,
    written: str,
    *,
    hypotheses: tuple[Hypothesis, ...],
    read: Sentence | None,
    score: float,
    log_prob: float,
    token_count: int,
    finish_reason: FinishReason,
) -> Candidate:
    shield = task.sentence.shield
    lost: tuple[Carried, ...] = ()
    if shield is not None and not shield.carries(written):
        lost = shield.lost(written) or shield.carried
    return Candidate(
        text=task.sentence.restore(written),
        written=written,
        hypotheses=hypotheses,
        read=read,
        score=score,
        log_prob=log_prob,
        token_count=token_count,
        finish_reason=finish_reason,
        lost=lost,
    )
