"""Textbook search, one sentence at a time over lists: the twin of the engine's search."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ferryman_server.engine.job import Search

NextLogProbs = Callable[[Sequence[int]], np.ndarray]
"""Log-probability of every next token (V) after a prefix."""


@dataclass(frozen=True)
class Found:
    """A hypothesis: all its tokens, the end included, and their log-probabilities."""

    tokens: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0

    def extended(self, token: int, log_prob: np.float32) -> Found:
        return Found(
            (*self.tokens, token),
            (*self.token_log_probs, float(log_prob)),
            self.log_prob + float(log_prob),
        )

    def score(self, length_penalty: float) -> float:
        return self.log_prob / float(len(self.tokens)) ** length_penalty


def greedy(next_log_probs: NextLogProbs, search: Search, *, eos: int) -> Found:
    """Take the likeliest token until it is the end."""
    found = Found()
    while len(found.tokens) < search.max_tokens and eos not in found.tokens:
        log_probs = next_log_probs(found.tokens).copy()
        if len(found.tokens) < search.min_tokens:
            log_probs[eos] = -np.inf
        token = int(np.argmax(log_probs))
        found = found.extended(token, log_probs[token])
    return found


def beam(next_log_probs: NextLogProbs, search: Search, *, eos: int) -> list[Found]:
    """Keep the W best at every step; the first W to end, and better ones still under way."""
    width, penalty = search.beam_size, search.length_penalty
    alive, finished = [Found()], []
    for length in range(1, search.max_tokens + 1):
        extensions = []
        for found in alive:
            log_probs = next_log_probs(found.tokens).copy()
            if length - 1 < search.min_tokens:
                log_probs[eos] = -np.inf
            # The likeliest first, as the step graph returns them: of equals, the lower id.
            order = np.argsort(-log_probs, kind="stable")
            extensions += [found.extended(int(token), log_probs[token]) for token in order]
        extensions = [found for found in extensions if found.log_prob > -np.inf]
        extensions.sort(key=lambda found: -found.log_prob)
        finished += [found for found in extensions[:width] if found.tokens[-1] == eos]
        alive = [found for found in extensions if found.tokens[-1] != eos][:width]
        if length == search.max_tokens:
            finished += alive
        finished.sort(key=lambda found: -found.score(penalty))
        finished = finished[:width]
        if finished and not alive:
            break
        if len(finished) == width and alive[0].score(penalty) <= finished[-1].score(penalty):
            break
    return finished[: search.num_hypotheses]


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
        every.append(found)
    every.sort(key=lambda found: -found.score(search.length_penalty))
    return every[: search.num_hypotheses]
