"""Tokens that a hypothesis must have before it may end, each once and those of a chain in order.

A hypothesis that would rather end while one is missing takes the likeliest of the missing ones
instead, so it never pads a sentence out in wait for it; and as soon as there is only room for what
is missing, nothing else may come.

Dimension key:
    k: tokens on offer
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferryman_server.engine.search import Doubles, Ints

Chains = Sequence[Sequence[int]]


def missing(ids: Sequence[int], chains: Chains) -> list[tuple[int, ...]]:
    """Return what each chain still lacks, without those that lack nothing.

    Args:
        ids: The hypothesis so far.
        chains: Tokens that are required, those of one chain in its order.

    >>> missing([7, 5, 9], [(5, 6), (7,), (8,)])
    [(6,), (8,)]
    """
    there = set(ids)
    rests = [tuple(token for token in chain if token not in there) for chain in chains]
    return [rest for rest in rests if rest]


def out_of_turn(ids: Sequence[int], chains: Chains) -> set[int]:
    """Return the required tokens that may not come next: they are there, or others come before.

    >>> sorted(out_of_turn([7, 5, 9], [(5, 6), (7,), (8, 4)]))
    [4, 5, 7]
    """
    turn = {rest[0] for rest in missing(ids, chains)}
    return {token for chain in chains for token in chain} - turn


def draw_to_missing(
    log_probs: Doubles, offered: Ints, turn: Sequence[int], *, room: int, lacking: int, eos: int
) -> Doubles:
    """Allow nothing but missing tokens where the hypothesis would end, or room runs out.

    Args:
        log_probs: Of the tokens on offer, (k); -inf for what may not come for other reasons.
        offered: The tokens on offer, (k).
        turn: The missing tokens whose turn it is.
        room: How many tokens the hypothesis may still have, its end included.
        lacking: How many it lacks.
        eos: The token that ends a sentence.

    Returns:
        The same, (k), with -inf for what may not come.

    >>> log_probs = np.array([-0.1, -1.0, -2.0])
    >>> offered = np.array([3, 5, 6])
    >>> draw_to_missing(log_probs, offered, [6], room=9, lacking=1, eos=3).tolist()
    [-inf, -inf, -2.0]
    >>> draw_to_missing(log_probs[::-1], offered, [6], room=9, lacking=1, eos=3).tolist()
    [-inf, -1.0, -0.1]
    """
    if not lacking:
        return log_probs
    is_end = offered == eos
    # Of equal ones the token of the lesser number counts as the likelier one, as in every search.
    best = offered[np.lexsort((offered, -log_probs))[0]] if len(offered) else eos
    if best == eos or room <= lacking + 1:
        return np.where(np.isin(offered, list(turn)), log_probs, -np.inf)
    return np.where(is_end, -np.inf, log_probs)
