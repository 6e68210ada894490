"""Textbook search, one sentence at a time over lists: the twin of the engine's search.

It always sees the whole distribution, sorts all of it, and knows nothing of batches and states.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ferryman_server.engine import FinishReason, LengthPenalty, Sampling, Search

NextLogProbs = Callable[[Sequence[int]], np.ndarray]
"""Log-probability of every next token (V) after a prefix."""


@dataclass(frozen=True)
class Found:
    """A hypothesis: all its tokens, the end included, and their log-probabilities."""

    tokens: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0
    total: float = field(default=0.0, compare=False)
    """The sum of what the options made of the log-probabilities."""
    reason: FinishReason | None = None

    def extended(self, token: int, log_prob: float, adjusted: float | None = None) -> Found:
        return Found(
            (*self.tokens, token),
            (*self.token_log_probs, float(log_prob)),
            self.log_prob + float(log_prob),
            self.total + float(log_prob if adjusted is None else adjusted),
        )

    def ended(self, reason: FinishReason) -> Found:
        return Found(self.tokens, self.token_log_probs, self.log_prob, self.total, reason)

    def score(self, search: Search) -> float:
        length = max(1, len(self.tokens))
        if search.length_penalty_kind is LengthPenalty.GNMT:
            return self.total / math.pow((5 + length) / (5 + 1), search.length_penalty)
        return self.total / math.pow(length, search.length_penalty)


def search_for(
    source: Sequence[int], next_log_probs: NextLogProbs, search: Search, *, eos: int
) -> list[Found]:
    """Return every hypothesis that ended, best first, those cut in a loop last."""
    problem = Problem(tuple(source), next_log_probs, search, eos)
    if search.sampling is not None or search.alternatives:
        ended = [problem.follow(row) for row in range(search.rows)]
        found = [one for one in ended if one is not None]
    else:
        found = problem.beam()
    return sorted(found, key=lambda f: (f.reason is FinishReason.LOOP_GUARD, -f.score(search)))


@dataclass
class Problem:
    """One source and how to search."""

    source: tuple[int, ...]
    next_log_probs: NextLogProbs
    search: Search
    eos: int

    def adjusted(self, tokens: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the model's log-probabilities, and what the options make of them, (V)."""
        search = self.search
        log_probs = self.next_log_probs(tokens)
        adjusted = [float(value) for value in log_probs]
        place = len(tokens)
        forced = dict(search.forced)
        if search.prefix_bias is None and place < len(search.prefix):
            forced.setdefault(place, search.prefix[place])
        for token in range(len(adjusted)):
            if place in forced:
                if token != forced[place]:
                    adjusted[token] = -math.inf
                continue
            if token in tokens and search.repetition_penalty != 1:
                adjusted[token] *= search.repetition_penalty
            if search.prefix_bias is not None and tokens == search.prefix[:place] != search.prefix:
                probability = (1 - search.prefix_bias) * np.exp(adjusted[token])
                if token == search.prefix[place]:
                    adjusted[token] = float(_log(probability + search.prefix_bias))
                else:
                    adjusted[token] = float(adjusted[token] + _log(1 - search.prefix_bias))
            if not self.may_come(token, tokens):
                adjusted[token] = -math.inf
        if place not in forced:
            self.require(tokens, adjusted)
        return log_probs, np.array(adjusted)

    def require(self, tokens: tuple[int, ...], adjusted: list[float]) -> None:
        """Keep the hypothesis from ending without what it must have, in place."""
        required = [token for chain in self.search.required for token in chain]
        lacking = [token for token in required if token not in tokens]
        if not lacking:
            return
        best = max(range(len(adjusted)), key=lambda token: (adjusted[token], -token))
        last_chance = self.search.max_tokens - len(tokens) - 1 <= len(lacking)
        for token in range(len(adjusted)):
            if token == self.eos or ((best == self.eos or last_chance) and token not in lacking):
                adjusted[token] = -math.inf

    def may_come(self, token: int, tokens: tuple[int, ...]) -> bool:
        search, size = self.search, self.search.no_repeat_ngram
        for chain in search.required:
            if token in chain:
                first = next((other for other in chain if other not in tokens), None)
                return token == first
        if token == self.eos and len(tokens) < search.min_tokens:
            return False
        extended = (*tokens, token)
        if size and extended[-size:] in windows(tokens, size):
            return False
        return not any(extended[-len(s) :] == tuple(s) for s in search.suppressed)

    def is_loop(self, tokens: tuple[int, ...]) -> bool:
        search = self.search
        if not search.loop_tokens or len(tokens) % 8:
            return False
        longest = max(
            (
                len(part)
                for start in range(len(self.source))
                for stop in range(start + 1, len(self.source) + 1)
                for part in [self.source[start:stop]]
                if repeats(part, times=2)
            ),
            default=0,
        )
        limit = search.loop_tokens + 2 * longest
        period = min(8, search.loop_tokens // 3)
        return len(tokens) >= limit and repeats(tokens[-limit:], times=3, longest=period)

    def beam(self) -> list[Found]:
        """Keep the W best of every group at every step."""
        search = self.search
        width = search.beam_size // search.groups
        groups = [
            Group(width, max(1, round(width * search.patience))) for _ in range(search.groups)
        ]
        for length in range(1, search.max_tokens + 1):
            chosen: Counter[int] = Counter()
            for group in groups:
                if not group.done:
                    self.advance(group, length, chosen)
                    chosen.update(found.tokens[-1] for found in group.alive)
        return [found for group in groups for found in (*group.finished, *group.looping)]

    def advance(self, group: Group, length: int, chosen: Counter[int]) -> None:
        search = self.search
        extensions = []
        for found in group.alive:
            log_probs, adjusted = self.adjusted(found.tokens)
            for token, count in chosen.items():
                adjusted[token] -= search.diversity * count
            # The likeliest first, as the step graph returns them: of equals, the lower id.
            extensions += [
                found.extended(token, log_probs[token], adjusted[token])
                for token in np.argsort(-adjusted, kind="stable").tolist()
                if adjusted[token] > -np.inf
            ]
        extensions.sort(key=lambda found: -found.total)
        for found in extensions[: group.width]:
            if found.tokens[-1] == self.eos:
                group.keep(found.ended(FinishReason.EOS), search)
        going = [found for found in extensions if found.tokens[-1] != self.eos][: group.width]
        group.looping += [
            found.ended(FinishReason.LOOP_GUARD) for found in going if self.is_loop(found.tokens)
        ]
        going = [found for found in going if not self.is_loop(found.tokens)]
        before, group.alive = group.alive, going
        if length == search.max_tokens:
            stuck = going
        elif not going and not group.finished and not group.looping:
            stuck = before
        else:
            stuck = []
        for found in stuck:
            group.keep(found.ended(FinishReason.MAX_TOKENS), search)
        enough = len(group.finished) >= group.enough
        with_loops = len(group.finished) + len(group.looping) >= group.enough
        group.done = (
            length == search.max_tokens
            or not going
            or (enough and search.early_stopping)
            or (with_loops and bool(group.looping))
            or (enough and going[0].score(search) <= group.finished[-1].score(search))
        )
        if group.done:
            group.alive = []

    def follow(self, row: int) -> Found | None:
        """Go on from one hypothesis alone: drawn at random, or greedily from one alternative."""
        search, found = self.search, Found()
        random = None
        if search.sampling is not None:
            random = np.random.Philox(key=np.array([search.sampling.seed, row], np.uint64))
        while len(found.tokens) < search.max_tokens:
            log_probs, adjusted = self.adjusted(found.tokens)
            possible = [t for t in np.argsort(-adjusted, kind="stable") if adjusted[t] > -np.inf]
            branches = search.alternatives and len(found.tokens) == len(search.prefix)
            if branches and row and row >= len(possible):
                return None
            if not possible:
                return found.ended(FinishReason.MAX_TOKENS)
            if random is not None:
                uniform = (int(random.random_raw()) >> 11) / 2**53
                token = draw(adjusted, possible, search.sampling, uniform)
            else:
                token = int(possible[row if branches else 0])
            found = found.extended(token, log_probs[token], adjusted[token])
            if token == self.eos:
                return found.ended(FinishReason.EOS)
            if self.is_loop(found.tokens):
                return found.ended(FinishReason.LOOP_GUARD)
        return found.ended(FinishReason.MAX_TOKENS)


@dataclass
class Group:
    """One group of a beam."""

    width: int
    enough: int
    done: bool = False
    alive: list[Found] = field(default_factory=lambda: [Found()])
    finished: list[Found] = field(default_factory=list)
    looping: list[Found] = field(default_factory=list)

    def keep(self, found: Found, search: Search) -> None:
        self.finished.append(found)
        self.finished.sort(key=lambda found: -found.score(search))
        del self.finished[self.enough :]


def draw(adjusted: np.ndarray, possible: Sequence[int], sampling: Sampling, uniform: float) -> int:
    """Draw one of the possible tokens, which come best first."""
    left = list(possible)
    if sampling.top_k:
        left = left[: sampling.top_k]
    weights = {
        t: float(np.exp((adjusted[t] - adjusted[left[0]]) / sampling.temperature)) for t in left
    }
    total = math.fsum(weights.values())
    if sampling.top_p < 1:
        mass, nucleus = 0.0, []
        for token in left:
            if mass >= sampling.top_p * total:
                break
            nucleus.append(token)
            mass += weights[token]
        left = nucleus
    left = [token for token in left if weights[token] >= sampling.min_p]
    target = uniform * math.fsum(weights[token] for token in left)
    mass = 0.0
    for token in sorted(left):
        mass += weights[token]
        if target < mass:
            break
    return int(token)


def windows(tokens: Sequence[int], size: int) -> list[tuple[int, ...]]:
    return [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]


def repeats(part: Sequence[int], *, times: int, longest: int = 8) -> bool:
    """Whether a part is one sequence of at most so many tokens, so many times at least."""
    return any(
        len(part) >= times * period
        and all(part[i] == part[i - period] for i in range(period, len(part)))
        for period in range(1, longest + 1)
    )


def greedy(next_log_probs: NextLogProbs, search: Search, *, eos: int) -> Found:
    """Take the likeliest token until it is the end."""
    found = Found()
    while len(found.tokens) < search.max_tokens and eos not in found.tokens:
        log_probs = next_log_probs(found.tokens).copy()
        if len(found.tokens) < search.min_tokens:
            log_probs[eos] = -np.inf
        token = int(np.argmax(log_probs))
        found = found.extended(token, log_probs[token])
    return found.ended(FinishReason.EOS if found.tokens[-1] == eos else FinishReason.MAX_TOKENS)


def exhaustive(
    next_log_probs: NextLogProbs, search: Search, *, eos: int, vocabulary: Sequence[int]
) -> list[Found]:
    """Score every sentence that there can be, best first."""
    words = [token for token in vocabulary if token != eos]
    sentences = [
        (*prefix, eos)
        for length in range(search.min_tokens, search.max_tokens)
        for prefix in itertools.product(words, repeat=length)
    ]
    sentences += itertools.product(words, repeat=search.max_tokens)
    every = []
    for tokens in sentences:
        found = Found()
        for token in tokens:
            found = found.extended(token, next_log_probs(found.tokens)[token])
        ended = found.tokens[-1] == eos
        every.append(found.ended(FinishReason.EOS if ended else FinishReason.MAX_TOKENS))
    every.sort(key=lambda found: -found.score(search))
    return every[: search.num_hypotheses]


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
