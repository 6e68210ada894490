"""Links between words, from what their tokens looked at."""

from __future__ import annotations

import numpy as np

from ferryman_server.text.span import Span
from ferryman_server.word_links import Words, link_words, moses


def test_a_word_is_what_white_space_separates():
    words = Words("  l'\u00e9t\u00e9,\u00a0fin\n\u65e5\u672c ")
    assert [span.of("  l'\u00e9t\u00e9,\u00a0fin\n\u65e5\u672c ") for span in words.spans] == [
        "l'\u00e9t\u00e9,",
        "fin",
        "\u65e5\u672c",
    ]


def test_a_token_is_in_the_word_of_its_last_character():
    words = Words("ab cd")
    assert [
        words.number_at(Span(*place)) for place in [(0, 2), (2, 4), (4, 5), (2, 3), (5, 5)]
    ] == [
        0,
        1,
        1,
        None,
        None,
    ]


def test_tokens_of_a_word_share_what_they_look_at_and_the_end_is_no_word():
    """Of the source: word 0 twice, word 1, the end; of the target: word 0, word 1 twice, word 2."""
    attention = np.float32(
        [
            [0.3, 0.3, 0.4, 0.0],  # both halves of word 0 together beat word 1
            [0.1, 0.0, 0.6, 0.3],
            [0.8, 0.0, 0.1, 0.1],
            [0.1, 0.1, 0.1, 0.7],  # looks at the end: linked with nothing
        ]
    )
    links = link_words(attention, [0, 0, 1, None], [0, 1, 1, 2], Words("abcd ef"), Words("x yz w"))
    assert moses(links) == "0-0 0-1 1-1"
    assert [round(link.weight, 4) for link in links] == [0.6, 0.45, 0.35]
    assert (links[2].source, links[2].target) == (Span(5, 7), Span(2, 4))


def test_words_of_a_later_sentence_keep_their_numbers():
    links = link_words(
        np.eye(2, 3, dtype=np.float32), [7, 8, None], [5, 6], Words("a " * 9), Words("b " * 9)
    )
    assert moses(links) == "7-5 8-6"
