"""The text on the disk is what was read, less what the filters drop."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman_training.cache import Cache
from ferryman_training.corpus import digest
from ferryman_training.corpus_config import CorpusPart, FilterConfig
from ferryman_training.errors import CorpusError
from ferryman_training.filters import Fault
from ferryman_training.text_store import TextStore

FIRST = [("a file", "un fichier"), ("b", "b"), ("☃ c", "é c"), ("a file", "le fichier")]
SECOND = [("x 1", "y 2"), ("a file", "un fichier"), ("z z z", "w")]


def part(folder, name, rows, weight=1.0) -> CorpusPart:
    path = folder / name
    path.write_text("".join(f"{s}\t{t}\n" for s, t in rows), "utf-8")
    return CorpusPart(path=path, weight=weight)


def store(folder, **filters) -> TextStore:
    parts = [part(folder, "first.tsv", FIRST), part(folder, "second.tsv", SECOND)]
    return TextStore.obtain(
        Cache(folder / "cache"), parts, FilterConfig(**filters), digest=digest(parts)
    )


def kept(texts: TextStore) -> list[tuple[str, str]]:
    pairs = [texts.pair(row) for row in texts.kept_rows()]
    return [(pair.source, pair.target) for pair in pairs]


def test_without_filters_every_pair_of_every_part_is_there_in_order(tmp_path):
    texts = store(tmp_path)
    assert kept(texts) == FIRST + SECOND
    assert texts.lines.tolist() == [1, 2, 3, 4, 1, 2, 3]
    assert [texts.part(row) for row in range(7)] == [0, 0, 0, 0, 1, 1, 1]
    assert (texts.report.read, texts.report.total) == (7, 0)
    assert list(texts.sentences())[:3] == ["a file", "un fichier", "b"]


def test_what_the_filters_drop_is_not_there_and_is_reported_with_its_line(tmp_path):
    texts = store(tmp_path, identical=True, numbers=True, max_words=2)
    assert kept(texts) == [FIRST[0], FIRST[2], FIRST[3], SECOND[1]]
    assert texts.lines.tolist() == [1, 3, 4, 2]
    assert [texts.part(row) for row in range(4)] == [0, 0, 0, 1]
    assert texts.report.dropped == {Fault.IDENTICAL: 1, Fault.NUMBERS: 1, Fault.LONG: 1}
    example = texts.report.examples[Fault.LONG]
    assert (example.part, example.line, example.source) == (1, 3, "z z z")


@pytest.mark.parametrize(
    ("kind", "rows"), [("pairs", [5]), ("sources", [3, 5]), ("targets", [5]), ("keep", [])]
)
def test_duplicates_are_dropped_across_parts_and_the_first_stays(tmp_path, kind, rows):
    texts = store(tmp_path, duplicates=kind)
    assert np.flatnonzero(~texts.kept).tolist() == rows
    assert len(kept(texts)) == 7 - len(rows)
    if rows:
        assert texts.report.dropped == {Fault.DUPLICATE: len(rows)}
        example = texts.report.examples[Fault.DUPLICATE]
        assert (example.part, example.line) == ((0, 4) if kind == "sources" else (1, 2))


def test_duplicates_of_a_pair_that_another_filter_drops_are_no_duplicates(tmp_path):
    texts = store(tmp_path, duplicates="sources", max_words=1)
    assert kept(texts) == [("b", "b")]
    assert Fault.DUPLICATE not in texts.report.dropped


def test_a_store_that_is_there_is_not_made_again_and_other_filters_make_another(tmp_path):
    first = store(tmp_path)
    parts = [part(tmp_path, "first.tsv", FIRST), part(tmp_path, "second.tsv", SECOND)]
    known = digest(parts)
    parts[0].path.unlink()  # so that it cannot be read
    again = TextStore.obtain(Cache(tmp_path / "cache"), parts, FilterConfig(), digest=known)
    assert (again.name, kept(again), again.report) == (first.name, kept(first), first.report)
    with pytest.raises(CorpusError, match="No such file"):
        TextStore.obtain(Cache(tmp_path / "cache"), parts, FilterConfig(blank=True), digest=known)


def test_a_blank_side_stops_the_run_unless_it_is_to_be_dropped(tmp_path):
    parts = [part(tmp_path, "c.tsv", [("a", "b"), ("c", " ")])]
    cache = Cache(tmp_path / "cache")
    with pytest.raises(CorpusError, match=r"c\.tsv:2: the target is blank.*filters\.blank = true"):
        TextStore.obtain(cache, parts, FilterConfig(), digest="x")
    texts = TextStore.obtain(cache, parts, FilterConfig(blank=True), digest="x")
    assert kept(texts) == [("a", "b")]
    assert texts.report.dropped == {Fault.BLANK: 1}


def test_an_empty_part_is_refused(tmp_path):
    parts = [part(tmp_path, "c.tsv", [("a", "b")]), part(tmp_path, "none.tsv", [])]
    with pytest.raises(CorpusError, match=r"none\.tsv: is empty"):
        TextStore.obtain(Cache(tmp_path / "cache"), parts, FilterConfig(), digest="x")


def test_filters_that_leave_nothing_are_refused_with_the_counts(tmp_path):
    with pytest.raises(CorpusError, match=r"no pair is left of 7: a side has too few words: 7"):
        store(tmp_path, min_words=9)
