"""Greedy search over the exported graphs: the counterpart of the reference in torch.

Dimension key:
    R: sentences, one hypothesis each
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_export.runner import GraphRunner, State
from ferryman_training.decoding import length_limit


@dataclass(frozen=True, slots=True)
class GreedyTranslation:
    """One translation, and how sure it was."""

    ids: tuple[int, ...]
    """Without start and end."""
    log_prob: float
    """Sum over the tokens, the end included where it came."""
    margin: float
    """The least by which a chosen token's log-probability exceeded the runner-up's."""


def decode_graphs_greedily(
    runner: GraphRunner, sources: Sequence[Sequence[int]], *, batch_size: int = 32
) -> list[GreedyTranslation]:
    """Translate by taking the likeliest token at every step.

    Args:
        runner: The graphs.
        sources: Source ids without the end of sentence.
        batch_size: Sentences decoded together, sorted by length.

    Returns:
        One result per source, in their order.
    """
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    results: dict[int, GreedyTranslation] = {}
    for start in range(0, len(order), batch_size):
        chunk = order[start : start + batch_size]
        decoded = _decode_batch(runner, [sources[i] for i in chunk])
        results.update(zip(chunk, decoded, strict=True))
    return [results[i] for i in range(len(sources))]


def _decode_batch(runner: GraphRunner, sources: Sequence[Sequence[int]]) -> list[GreedyTranslation]:
    rows = len(sources)
    limits = [length_limit(len(source)) for source in sources]
    state: State = {**runner.encode(sources), **runner.empty_caches(rows, max(limits))}
    newest = np.full(rows, BOS, dtype=np.int64)
    tokens: list[list[int]] = [[] for _ in sources]
    totals, margins = np.zeros(rows), np.full(rows, np.inf)
    running = set(range(rows))
    for length in range(max(limits)):
        lengths = np.full(rows, length, dtype=np.int32)
        log_probs, ids, state = runner.step(newest[:, None], lengths, state, candidates=2)
        newest = ids[:, 0]
        for row in sorted(running):
            totals[row] += log_probs[row, 0]
            margins[row] = min(margins[row], log_probs[row, 0] - log_probs[row, 1])
            if newest[row] != EOS:
                tokens[row].append(int(newest[row]))
            if newest[row] == EOS or len(tokens[row]) >= limits[row]:
                running.remove(row)
        if not running:
            break
    return [
        GreedyTranslation(tuple(ids), float(total), float(margin))
        for ids, total, margin in zip(tokens, totals, margins, strict=True)
    ]
