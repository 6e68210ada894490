"""Pictures of attention: they are written, they have the right pieces, and nothing is too large."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest

from ferryman_quality.attention import AttentionMap
from ferryman_quality.errors import SettingError
from ferryman_quality.heat_map import draw


def map_of(source, target, *, at=None):
    weights = np.full((len(target), len(source)), 1 / len(source), np.float32)
    if at is not None:
        weights[at] = 1
    return AttentionMap(tuple(source), tuple(target), weights)


def pieces_of(svg):
    """Return the texts of a picture."""
    return [part.rpartition(">")[2] for part in svg.split("</text>")[:-1]]


def test_every_piece_is_written_as_it_is(tmp_path):
    source = ["▁L'élève", "▁naïf", "$", "$x$", "&", "<0xC3>", "\ue003", "</s>"]
    target = ["▁Ὀδυσσεύς", "▁Łódź", "</s>"]
    draw(map_of(source, target), tmp_path / "a.svg", title="a_model $x$")
    shown = pieces_of((tmp_path / "a.svg").read_text("utf-8"))
    escaped = ["▁L'élève", "▁naïf", "$", "$x$", "&amp;", "&lt;0xC3&gt;", "⟨E003⟩", "&lt;/s&gt;"]
    assert shown[:8] == escaped
    assert shown[9:12] == ["▁Ὀδυσσεύς", "▁Łódź", "&lt;/s&gt;"]
    assert "a_model $x$" in shown


def test_what_has_the_attention_is_dark_and_the_rest_is_light(tmp_path):
    source, target = ["a"] * 8, ["b"] * 5
    pictures = []
    for at in (None, (4, 0), (0, 7)):
        found = map_of(source, target, at=at)
        found.weights[found.weights < 1] = 0
        draw(found, tmp_path / "a.png", title="")
        pictures.append(matplotlib.image.imread(tmp_path / "a.png")[..., :3].sum(-1))
    empty, lower_left, upper_right = pictures
    rows, columns = np.nonzero((empty - lower_left) > 1)
    other_rows, other_columns = np.nonzero((empty - upper_right) > 1)
    # Target pieces go down, source pieces across.
    assert np.median(rows) > np.median(other_rows)
    assert np.median(columns) < np.median(other_columns)


@pytest.mark.parametrize(("source", "target"), [(1, 1), (12, 7), (140, 6), (3, 140)])
def test_a_picture_grows_with_the_sentence_but_not_for_ever(tmp_path, source, target):
    draw(map_of(["piece"] * source, ["p"] * target), tmp_path / "a.png", title="long")
    height, width = matplotlib.image.imread(tmp_path / "a.png").shape[:2]
    assert 300 <= width <= 5400
    assert 300 <= height <= 5400
    if (source, target) == (12, 7):
        assert width > height


def test_an_unknown_format_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(SettingError, match=r"must end in \.png, \.svg or \.pdf"):
        draw(map_of(["a"], ["b"]), tmp_path / "a.doc", title="")
    assert list(tmp_path.iterdir()) == []
