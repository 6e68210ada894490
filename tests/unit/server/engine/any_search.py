"""Searches of every kind, drawn at random: what property tests decode with."""

from __future__ import annotations

import random
from typing import Any

from toy_model import EOS

from ferryman_server.engine import LengthPenalty, Sampling, Search


def draw_search(draw: random.Random, *, words: int = 12, longest: int = 20) -> Search:
    """Return a search with some options, of all that there are.

    Args:
        draw: What decides.
        words: Tokens besides the special ones, which begin at 4.
        longest: The most tokens of a target.
    """
    max_tokens = draw.randint(1, longest)
    fields: dict[str, Any] = {
        "max_tokens": max_tokens,
        "min_tokens": draw.choice([0, 0, draw.randrange(max_tokens)]),
        "length_penalty": draw.choice([0.0, 0.6, 1.0, 2.0]),
        "length_penalty_kind": draw.choice(list(LengthPenalty)),
    }
    if draw.random() < 0.3:
        fields["loop_tokens"] = draw.choice([8, 9, 12])
        # A toy repeats itself only where it may not end.
        fields["min_tokens"] = draw.choice([0, max_tokens - 1])
    draw.choice([_plain, _beam, _groups, _sampling, _alternatives])(draw, fields)
    for add_rule in (_penalty, _ngrams, _suppressed, _prefix, _forced, _required):
        if draw.random() < 0.2:
            add_rule(draw, fields, words)
    fields["shortlist"] = draw.random() < 0.3
    if fields.get("alternatives") and "prefix_bias" in fields:
        del fields["prefix_bias"]
    return Search(**fields)


def _plain(draw: random.Random, fields: dict[str, Any]) -> None:
    fields["beam_size"] = draw.choice([1, 1, 2, 4])


def _beam(draw: random.Random, fields: dict[str, Any]) -> None:
    width = fields["beam_size"] = draw.choice([1, 2, 3, 4])
    fields["num_hypotheses"] = draw.randint(1, width)
    fields["patience"] = draw.choice([1.0, 1.0, 1.5, 3.0]) if width > 1 else 1.0
    fields["early_stopping"] = draw.random() < 0.3
    fields["coverage_penalty"] = draw.choice([0.0, 0.0, 0.4])


def _groups(draw: random.Random, fields: dict[str, Any]) -> None:
    fields["groups"], width = draw.choice([(2, 1), (2, 2), (4, 1)])
    fields["beam_size"] = fields["num_hypotheses"] = fields["groups"] * width
    fields["diversity"] = draw.choice([0.0, 0.5, 1.0])


def _sampling(draw: random.Random, fields: dict[str, Any]) -> None:
    fields["num_hypotheses"] = draw.choice([1, 1, 2, 4])
    fields["sampling"] = Sampling(
        seed=draw.getrandbits(64),
        temperature=draw.choice([0.5, 1.0, 1.7]),
        top_k=draw.choice([0, 1, 3, 8]),
        top_p=draw.choice([1.0, 0.9, 0.5]),
        min_p=draw.choice([0.0, 0.0, 0.1]),
    )


def _alternatives(draw: random.Random, fields: dict[str, Any]) -> None:
    fields["alternatives"] = fields["num_hypotheses"] = draw.choice([1, 2, 4])


def _tokens(draw: random.Random, words: int, least: int, most: int) -> tuple[int, ...]:
    return tuple(draw.randrange(4, 4 + words) for _ in range(draw.randint(least, most)))


def _penalty(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    fields["repetition_penalty"] = draw.choice([0.8, 1.2, 2.0])


def _ngrams(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    fields["no_repeat_ngram"] = draw.choice([1, 2, 3])


def _suppressed(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    fields["suppressed"] = tuple(_tokens(draw, words, 1, 2) for _ in range(draw.randint(1, 4)))


def _prefix(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    fields["prefix"] = _tokens(draw, words, 0, min(4, fields["max_tokens"] - 1))
    if draw.random() < 0.5:
        fields["prefix_bias"] = draw.choice([0.0, 0.3, 0.9, 1.0])


def _forced(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    places = draw.sample(range(fields["max_tokens"]), min(2, fields["max_tokens"]))
    fields["forced"] = tuple((place, *_tokens(draw, words, 1, 1)) for place in places)
    assert EOS not in dict(fields["forced"]).values()


def _required(draw: random.Random, fields: dict[str, Any], words: int) -> None:
    count = min(draw.randint(1, 4), words, fields["max_tokens"] - 1)
    tokens = draw.sample(range(4, 4 + words), count)
    cut = draw.randint(0, len(tokens))
    fields["required"] = tuple(
        chain for chain in (tuple(tokens[:cut]), tuple(tokens[cut:])) if chain
    )
