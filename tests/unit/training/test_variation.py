"""Variation: some pairs change, by seed, epoch and place alone, and never beyond their bounds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from ferryman_bundle.tokenizer import RESERVED, Tokenizer
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.cache import Cache
from ferryman_training.corpus_config import CorpusPart, FilterConfig, VocabularyConfig
from ferryman_training.errors import CorpusError
from ferryman_training.text_store import TextStore
from ferryman_training.variation import Variation
from ferryman_training.vocabulary import train_tokenizer

SAMPLE = Path(__file__).parents[2] / "data" / "sample.en-fr.tsv"
COUNT = 400


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> TextStore:
    folder = tmp_path_factory.mktemp("texts")
    path = folder / "c.tsv"
    rows = [f"the folder file{i}.txt opening\tle dossier file{i}.txt vide\n" for i in range(COUNT)]
    path.write_text("".join(rows), "utf-8")
    return TextStore.obtain(
        Cache(folder / "cache"), [CorpusPart(path=path)], FilterConfig(), digest="x"
    )


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def either(request) -> Tokenizer:
    config = VocabularyConfig(kind=request.param, size=700)
    text = SAMPLE.read_text("utf-8").replace("\t", "\n")
    return train_tokenizer(text.splitlines(), config, seed=1)


def variation(texts, tokenizer, tmp_path, **changes) -> Variation:
    settings = {
        "placeholder_share": 0.0, "sampling": 0.0, "max_tokens": 100, "seed": 1,
    } | changes  # fmt: skip
    return Variation(texts=texts, tokenizer=tokenizer, scratch=tmp_path, **settings)


def varied(how: Variation, epoch=0, rows=None) -> dict[int, TokenPair]:
    rows = np.arange(COUNT) if rows is None else np.array(rows)
    found = how.of_epoch(epoch, rows)
    pairs = {int(place): found.find(int(place)) for place in found.places}
    assert [len(p.source) for p in pairs.values()] == found.source_lengths.tolist()
    assert [len(p.target) for p in pairs.values()] == found.target_lengths.tolist()
    return pairs


def test_placeholders_touch_about_their_share_on_both_sides_alike(texts, tokenizer, tmp_path):
    pairs = varied(variation(texts, tokenizer, tmp_path, placeholder_share=0.25))
    assert 70 <= len(pairs) <= 130  # 100 expected, standard deviation 9
    reserved = {tokenizer.encode(c, reserved=True)[-1] for c in RESERVED}
    for pair in pairs.values():
        assert reserved & set(pair.source)
        assert reserved & set(pair.source) == reserved & set(pair.target)


def test_sampling_touches_every_pair_and_keeps_its_text(texts, either, tmp_path):
    pairs = varied(variation(texts, either, tmp_path, sampling=0.2))
    assert list(pairs) == list(range(COUNT))
    for row, pair in pairs.items():
        text = texts.pair(row)
        assert (either.decode(pair.source), either.decode(pair.target)) == (
            text.source,
            text.target,
        )
    plain = [tokenize(texts.pair(row), either) for row in range(COUNT)]
    assert sum(pairs[row] != plain[row] for row in range(COUNT)) > COUNT / 2


def test_what_becomes_of_a_pair_depends_on_seed_epoch_and_place_alone(texts, either, tmp_path):
    settings = {"placeholder_share": 0.3, "sampling": 0.2}
    how = variation(texts, either, tmp_path, **settings)
    first = varied(how)
    assert varied(how, epoch=1) != first
    assert varied(variation(texts, either, tmp_path, **settings, seed=2)) != first
    # Whatever was tokenized before, and however much of the epoch there is.
    assert varied(how) == first
    assert varied(how, rows=range(50)) == {place: first[place] for place in range(50)}


def test_a_row_that_is_drawn_twice_varies_each_time(texts, either, tmp_path):
    pairs = varied(variation(texts, either, tmp_path, sampling=0.2), rows=[7] * 20)
    assert len(set(pairs.values())) > 1


def test_reserved_pieces_stay_whole_when_text_is_sampled(texts, either, tmp_path):
    pairs = varied(variation(texts, either, tmp_path, placeholder_share=0.99, sampling=0.4))
    reserved = {either.encode(c, reserved=True)[-1] for c in RESERVED}
    with_reserved = [p for p in pairs.values() if reserved & set(p.source)]
    assert len(with_reserved) > 0.9 * COUNT
    for pair in with_reserved:
        assert reserved & set(pair.source) == reserved & set(pair.target)


@pytest.mark.parametrize("settings", [{"placeholder_share": 0.9}, {"sampling": 0.3}])
def test_a_pair_that_would_become_too_long_stays_as_it_is(texts, tokenizer, tmp_path, settings):
    assert varied(variation(texts, tokenizer, tmp_path, max_tokens=2, **settings)) == {}
    longest = 40
    pairs = varied(variation(texts, tokenizer, tmp_path, max_tokens=longest, **settings))
    assert pairs
    assert max(pair.longest_side for pair in pairs.values()) <= longest


def test_a_place_without_variation_is_not_found(texts, tokenizer, tmp_path):
    found = variation(texts, tokenizer, tmp_path, placeholder_share=0.25).of_epoch(
        0, np.arange(COUNT)
    )
    same = sorted(set(range(COUNT)) - set(found.places.tolist()))
    assert all(found.find(place) is None for place in [*same, COUNT])


def test_nothing_is_left_on_the_disk(texts, tokenizer, tmp_path):
    found = variation(texts, tokenizer, tmp_path, sampling=0.3).of_epoch(0, np.arange(COUNT))
    assert list(tmp_path.iterdir()) == []
    assert isinstance(found.ids.base, np.memmap)


def test_a_disk_that_is_full_is_an_error_that_says_so(texts, tokenizer, tmp_path, monkeypatch):
    def refuse(**_: object):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(CorpusError, match=r"cannot be written \(No space left on device\)"):
        variation(texts, tokenizer, tmp_path, sampling=0.3).of_epoch(0, np.arange(3))
