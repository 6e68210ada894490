"""The lexicon of a run: learnt once, read as written, refused when damaged."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from ferryman_training.alignment_config import AlignmentConfig
from ferryman_training.batching import TokenPair
from ferryman_training.display import PlainDisplay
from ferryman_training.errors import CheckpointError
from ferryman_training.lexicon import Lexicon, learn_lexicon
from ferryman_training.lexicon_store import LEXICON, load_lexicon, obtain_lexicon, save_lexicon
from ferryman_training.parallel_tokens import ParallelTokens
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter

VOCABULARY = 40


def random_pairs(count: int, *, seed: int) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    return [
        TokenPair(*(tuple(generator.integers(4, 30, size=n).tolist()) for n in both))
        for both in generator.integers(1, 6, size=(count, 2))
    ]


def assert_equal(found: Lexicon, expected: Lexicon) -> None:
    every = np.arange(VOCABULARY, dtype=np.int32)[None]
    index = [lexicon.pairs.index(every, every) for lexicon in (found, expected)]
    np.testing.assert_array_equal(*index)
    for side in ("to_target", "to_source"):
        for part in ("given", "table", "null"):
            before, after = (getattr(getattr(x, side), part) for x in (found, expected))
            np.testing.assert_array_equal(before, after)


@pytest.fixture(scope="module")
def lexicon(seed) -> Lexicon:
    corpus = ParallelTokens.of(random_pairs(60, seed=seed))
    return learn_lexicon(corpus, VOCABULARY, passes=3, tension=4.0, watch=lambda _: None)


def test_a_lexicon_is_read_as_it_was_written(lexicon, tmp_path):
    save_lexicon(lexicon, tmp_path / LEXICON)
    assert_equal(load_lexicon(tmp_path / LEXICON), lexicon)


@pytest.mark.parametrize("content", [b"", b"no safetensors", None])
def test_a_damaged_lexicon_is_named(lexicon, tmp_path, content):
    path = tmp_path / LEXICON
    save_lexicon(lexicon, path)
    path.write_bytes(path.read_bytes()[:-5] if content is None else content)
    with pytest.raises(CheckpointError, match=f"{path}: is damaged .*; remove it"):
        load_lexicon(path)


def obtain(config, directory, pairs, reporter) -> Lexicon:
    return obtain_lexicon(
        config, directory, pairs, VOCABULARY, replicas=Replicas(), reporter=reporter
    )


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(config, output) -> Reporter:
    return Reporter(config, PlainDisplay(Console(file=output)), log=None)


def test_a_lexicon_is_learnt_once(tmp_path, seed, reporter, output):
    pairs, config = random_pairs(60, seed=seed), AlignmentConfig(passes=2)
    learnt = obtain(config, tmp_path, pairs, reporter)
    assert "word links, pass 2 of 2: perplexity" in output.getvalue()
    assert_equal(obtain(config, tmp_path, [], reporter), learnt)
    assert output.getvalue().count("word links") == 3  # the phase, and two passes


def test_of_a_large_corpus_a_part_is_learnt_from_that_is_spread_evenly(tmp_path, seed, reporter):
    pairs, config = random_pairs(60, seed=seed), AlignmentConfig(passes=2, pairs=20)
    (tmp_path / "part").mkdir()
    (tmp_path / "whole").mkdir()
    found = obtain(config, tmp_path / "part", pairs, reporter)
    assert_equal(found, obtain(config, tmp_path / "whole", pairs[::3], reporter))
