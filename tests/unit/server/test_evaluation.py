"""Scores of a bundle on a test set, with an engine that writes in upper case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import sacrebleu

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Statistics
from ferryman_server.evaluation import (
    CorpusError,
    Pair,
    measure,
    read_pairs,
    score,
    translate_lines,
)

OPTIONS = AppliedOptions(
    beam_size=1,
    num_hypotheses=1,
    length_penalty=1.0,
    min_tokens=0,
    max_tokens=80,
    max_length_ratio=2.0,
    max_length_offset=10,
)


@pytest.fixture
def bundle(model):
    return SimpleNamespace(manifest=model.manifest, tokenizer=model.tokenizer)


def test_lines_are_translated_whole_in_order_and_counted(engine, bundle):
    lines = [f"Line {i}. Two sentences." for i in range(1200)]
    seen = []
    translations = translate_lines(engine, bundle, lines, OPTIONS, on_line=lambda: seen.append(1))
    assert translations == [line.upper() for line in lines]
    assert len(engine.jobs) == len(seen) == 1200


def test_a_line_without_words_and_one_that_is_too_long_are_translated_too(engine, bundle):
    long = "word " * 30
    assert translate_lines(engine, bundle, ["---", long, ""], OPTIONS) == ["---", long.upper(), ""]
    assert len(engine.jobs) == 4


def test_the_engine_has_many_lines_but_not_all_at_once(engine, bundle, monkeypatch):
    waiting = []
    submit = engine.submit

    def submit_and_watch(jobs):
        futures = submit(jobs)
        for future in futures:
            monkeypatch.setattr(future, "result", lambda f=future: answer(f))
        return futures

    def answer(future):
        waiting.append(sum(not other.done() for other in engine.futures))
        engine.release()
        return type(future).result(future)

    engine.holds = True
    monkeypatch.setattr(engine, "submit", submit_and_watch)
    translate_lines(engine, bundle, [f"line {i}" for i in range(600)], OPTIONS)
    assert max(waiting) == 512


def test_an_error_cancels_what_is_under_way(engine, bundle, monkeypatch):
    submit = engine.submit

    def fail_at_the_third(jobs):
        if len(engine.jobs) == 2:
            raise RuntimeError
        return submit(jobs)

    engine.holds = True
    monkeypatch.setattr(engine, "submit", fail_at_the_third)
    with pytest.raises(RuntimeError):
        translate_lines(engine, bundle, ["a", "b", "c"], OPTIONS)
    assert [future.cancelled() for future in engine.futures] == [True, True]


def test_a_run_tells_what_the_engine_did(engine, bundle, monkeypatch):
    counters = dict.fromkeys(Statistics.__slots__, 0) | {"steps": 4, "bytes_copied": 100}
    monkeypatch.setattr(engine, "statistics", lambda: Statistics(**counters), raising=False)
    translations, run = measure(engine, bundle, [Pair("a", "A"), Pair("b", "x")], OPTIONS)
    assert translations == ["A", "B"]
    assert run.sentences == 2
    assert run.sentences_per_second == pytest.approx(2 / run.seconds)
    assert run.bytes_copied_per_step == 25


def test_scores_are_those_of_sacrebleu_and_carry_its_signatures():
    translations = ["the cat sat on a mat", "no"]
    references = ["the cat sat on the mat", "yes it is"]
    scores = score(translations, references)
    assert scores.bleu == sacrebleu.corpus_bleu(translations, [references]).score
    assert scores.chrf == sacrebleu.corpus_chrf(translations, [references]).score
    assert 0 < scores.bleu < 100
    assert f"version:{sacrebleu.__version__}" in scores.bleu_signature
    assert "nc:6" in scores.chrf_signature


def test_pairs_are_read_with_their_unusual_characters(tmp_path):
    file = tmp_path / "test.tsv"
    file.write_bytes("a\u2028b\tc\r\n\nd e\tf\n".encode())
    assert read_pairs(file) == [Pair("a\u2028b", "c"), Pair("d e", "f")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one field\n", r"test\.tsv:1: must be source TAB target"),
        (b"a\tb\nc\td\te\n", r"test\.tsv:2: "),
        (b"a\t \n", r"test\.tsv:1: "),
        (b"", "has no sentence pairs"),
        (b"a\t\xff\n", "is not UTF-8 at byte 2"),
    ],
)
def test_what_is_no_pair_is_told_with_its_line(tmp_path, content, message):
    file = tmp_path / "test.tsv"
    file.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        read_pairs(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CorpusError, match="No such file") as caught:
        read_pairs(tmp_path / "none.tsv")
    assert caught.value.exit_code == 4
