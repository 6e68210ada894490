"""Lists of candidates and the columns they share, against gathering everything anew.

Whatever came and went before, a row must find the columns of its own tokens, in order, and no
others.
"""

from __future__ import annotations

import doctest
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.engine import output_columns
from ferryman_server.engine.candidate_lists import CandidateLists
from ferryman_server.engine.output_columns import NO_COLUMN, STEP, OutputColumns, OutputMatrix

VOCABULARY, WIDTH, SLOTS, BEAM = 2000, 3, 6, 2


@pytest.fixture(scope="module")
def matrix():
    draw = np.random.default_rng(1)
    return OutputMatrix(
        values=draw.integers(-127, 128, (VOCABULARY, WIDTH)).astype(np.int8),
        scales=draw.random(VOCABULARY).astype(np.float32),
        bias=draw.normal(size=VOCABULARY).astype(np.float32),
    )


def drawn_tokens(draw, most=900):
    """Ascending tokens, some of which everybody draws."""
    count = draw.choice([1, 30, 63, 64, 65, draw.randint(1, most)])
    pool = range(1, 80) if draw.random() < 0.2 else range(1, VOCABULARY)
    return np.array(sorted(draw.sample(pool, min(count, len(pool)))))


def gathered_anew(lists, matrix, tokens):
    """Return what the rows of a slot must find at their places, padding included."""
    size = lists.places.shape[2]
    values = np.zeros((size, WIDTH), np.int64)
    bias = np.full(size, -np.inf, np.float32)
    ids = np.zeros(size, np.int64)
    values[: len(tokens)] = matrix.values[tokens]
    bias[: len(tokens)] = matrix.bias[tokens]
    ids[: len(tokens)] = tokens
    return values, bias, ids


def check(lists, matrix, held):
    """Compare every slot that has a list with the twin."""
    columns = lists.columns
    assert columns.values.flags.c_contiguous, "it is bound as it lies"
    assert columns.values.shape == (WIDTH, columns.capacity)
    assert columns.capacity % STEP == lists.places.shape[2] % STEP == 0
    for slot, tokens in held.items():
        values, bias, ids = gathered_anew(lists, matrix, tokens)
        for places in lists.places[slot]:
            used = places[: len(tokens)]
            np.testing.assert_array_equal(columns.values[:, used].T, values[: len(tokens)])
            np.testing.assert_array_equal(columns.scales[used], matrix.scales[tokens])
            np.testing.assert_array_equal(columns.bias[places], bias)
            np.testing.assert_array_equal(columns.ids[places], ids)


@given(number=st.integers(0, 2**32))
def test_every_row_finds_its_own_columns_whoever_came_and_went(matrix, number):
    draw = random.Random(number)
    lists = CandidateLists(matrix, width=BEAM, max_sources=SLOTS)
    held = {}
    for _ in range(40):
        free = [slot for slot in range(SLOTS) if slot not in held]
        if free and (not held or draw.random() < 0.5):
            slot, tokens = draw.choice(free), drawn_tokens(draw)
            lists.admit(slot, tokens)
            held[slot] = tokens
        elif free and draw.random() < 0.4:
            source, target = draw.choice(sorted(held)), draw.choice(free)
            lists.move(source, target)
            held[target] = held.pop(source)
        else:
            slot = draw.choice(sorted(held))
            lists.release(slot)
            del held[slot]
        check(lists, matrix, held)


def test_without_a_matrix_a_place_is_an_id():
    lists = CandidateLists(None, width=BEAM, max_sources=2)
    lists.admit(1, np.array([3, 7, 90]))
    assert lists.columns is None
    expected = [3, 7, 90, *[NO_COLUMN] * (STEP - 3)]
    assert lists.places[1].tolist() == [expected, expected]


def test_who_comes_with_known_tokens_copies_nothing(matrix):
    columns = OutputColumns(matrix)
    tokens = np.arange(1, 50)
    columns.acquire(tokens)
    columns.release(tokens)
    before, revision = columns.values, columns.revision
    columns.values[:] = 99  # whatever is copied again would show
    columns.acquire(tokens[10:])
    assert columns.values is before
    assert (columns.values == 99).all()
    assert columns.revision == revision


def test_columns_that_nobody_needs_make_room_before_there_is_more(matrix):
    columns = OutputColumns(matrix)
    for start in range(1, 1900, 60):
        tokens = np.arange(start, start + 60)
        columns.acquire(tokens)
        columns.release(tokens)
    assert columns.capacity == STEP


def test_room_for_many_is_given_up_when_few_are_left(matrix):
    lists = CandidateLists(matrix, width=1, max_sources=2)
    lists.admit(0, np.arange(1, 1000))
    assert lists.columns.capacity == lists.places.shape[2] == 1024
    lists.admit(1, np.arange(500, 540))
    lists.release(0)
    lists.move(1, 0)
    lists.admit(1, np.arange(510, 560))
    assert lists.columns.capacity == lists.places.shape[2] == STEP
    assert lists.columns.ids[lists.places[0, 0, :40]].tolist() == list(range(500, 540))


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(output_columns)
    assert failures == 0
    assert examples > 0
