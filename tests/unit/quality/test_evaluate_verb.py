"""`ferryman evaluate` and `ferryman attention`, with systems that are made up."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import sacrebleu
from typer.testing import CliRunner

from ferryman_quality import Metric, PairsError, Segments, compare, systems, worst_sentences
from ferryman_quality.attention import AttentionMap
from ferryman_quality.commands import attention, evaluate
from ferryman_quality.comparison import randomisation_p_value
from ferryman_quality.errors import SettingError
from ferryman_quality.settings import Device, Settings
from ferryman_quality.systems import Output, System

ASKED = []
"""Settings that systems were asked with."""
ANSWERS: dict[str, list[str]] = {}
"""What each system answers, by its name."""


class MadeUp(System):
    """A system that has learnt its answers by heart."""

    def __init__(self, name):
        self.name = name

    def translate(self, sources, settings, on_line):
        ASKED.append(settings)
        for _ in sources:
            on_line()
        return Output(
            translations=ANSWERS[self.name],
            search="by heart",
            seconds=2.0,
            figures={"steps": 7},
            remarks={"decoder steps": "seven"},
        )

    def attend(self, source, target, settings):
        target = target or "trois mots ici"
        words = tuple(source.split()), tuple(target.split())
        return AttentionMap(*words, np.ones((len(words[1]), len(words[0])), np.float32))


@pytest.fixture(autouse=True)
def made_up(monkeypatch, test_set):
    point = EntryPoint("bundle", f"{__name__}:MadeUp", systems.GROUP)
    # Tests are imported by path, so this module has no name to import it by.
    monkeypatch.setattr(EntryPoint, "load", lambda self: MadeUp)
    monkeypatch.setattr(systems.metadata, "entry_points", lambda group: [point])
    ANSWERS.update(good=test_set.good, bad=test_set.bad)
    ASKED.clear()


@pytest.fixture
def pairs_file(tmp_path, test_set):
    file = tmp_path / "test.tsv"
    lines = [f"source {i}\t{text}\n" for i, text in enumerate(test_set.references)]
    file.write_text("".join(lines), "utf-8")
    return file


def run(*arguments, app=evaluate.app):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_document_has_the_figures_of_the_translations(pairs_file, test_set):
    result = run("good", pairs_file, "--json", "--worst", 3)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["sentences"] == 100
    assert found["bleu"] == round(
        sacrebleu.corpus_bleu(test_set.good, [test_set.references]).score, 2
    )
    assert found["ter"] == round(
        sacrebleu.corpus_ter(test_set.good, [test_set.references]).score, 2
    )
    for metric in Metric:
        low, high = found[f"{metric}_interval"]
        assert low < found[metric] < high
        assert sacrebleu.__version__ in found[f"{metric}_signature"]
    assert (found["steps"], found["search"], found["sentences_per_second"]) == (7, "by heart", 50)
    sources = [f"source {i}" for i in range(100)]
    worst = worst_sentences(sources, test_set.good, test_set.references, count=3)
    assert [s["number"] for s in found["worst"]] == [s.number for s in worst]
    assert [s["source"] for s in found["worst"]] == [s.source for s in worst]
    assert "against" not in found


def test_another_system_is_the_baseline(pairs_file, test_set):
    result = run("good", pairs_file, "--against", "bad", "--json", "--seed", 8)
    found = json.loads(result.stdout)
    assert found["system"] == "good"
    assert found["against"]["system"] == "bad"
    for metric in Metric:
        ours = found["differences"][metric]
        texts = (test_set.references, test_set.bad, test_set.good)
        expected = compare(*texts, metric=metric, seed=8)
        assert ours["delta"] == expected.delta
        assert (ours["low"], ours["high"]) == (expected.low, expected.high)
        assert ours["p_value"] == expected.p_value
        segments = [Segments.of(metric, t, test_set.references) for t in texts[1:]]
        assert ours["randomisation_p_value"] == randomisation_p_value(*segments, seed=8)
        assert (ours["delta"] < 0) == metric.falls


def test_people_get_tables_with_signatures_that_can_be_copied(pairs_file, test_set):
    result = run("good", pairs_file, "--against", "bad", "--worst", 1)
    assert result.exit_code == 0, result.output
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version" in result.stdout
    assert "p (bootstrap)" in result.stdout
    assert "decoder steps" in result.stdout
    assert result.stdout.count("reference ") == 1
    bleu = sacrebleu.corpus_bleu(test_set.good, [test_set.references]).score
    assert f"{bleu:.2f}" in result.stdout


def test_text_that_looks_like_markup_is_shown_as_it_is(tmp_path):
    file = tmp_path / "test.tsv"
    file.write_text("[bold]a[/b]\t[/red] x\n", "utf-8")
    ANSWERS["odd"] = ["[link=nowhere]"]
    result = run("odd", file)
    assert result.exit_code == 0, result.output
    for text in ("[bold]a[/b]", "[/red] x", "[link=nowhere]"):
        assert text in result.stdout


def test_translations_are_written_one_a_line(pairs_file, tmp_path, test_set):
    output = tmp_path / "translations.txt"
    assert run("bad", pairs_file, "--output", output, "--worst", 0).exit_code == 0
    assert output.read_text("utf-8") == "".join(f"{line}\n" for line in test_set.bad)


def test_flags_reach_both_systems(pairs_file):
    flags = ("--beam", 3, "--length-penalty", 0.5, "--workers", 2, "--max-rows", 9)
    run("good", pairs_file, "--against", "bad", *flags, "--device", "cpu")
    expected = Settings(beam_size=3, length_penalty=0.5, workers=2, max_rows=9, device=Device.CPU)
    assert [expected, expected] == ASKED


def test_a_test_set_that_is_none_stops_everything(tmp_path):
    result = run("good", tmp_path / "none.tsv")
    assert isinstance(result.exception, PairsError)
    assert ASKED == []


def test_attention_is_drawn_for_the_models_own_translation_or_a_given_one(tmp_path):
    for extra, pieces in (((), 3), (("--target", "un deux"), 2)):
        output = tmp_path / f"{pieces}.png"
        result = run("good", "two words", "-o", output, *extra, app=attention.app)
        assert result.exit_code == 0, result.output
        assert f"2 source and {pieces} target pieces" in result.stdout
        assert output.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [(" ",), ("a", "--target", "")])
def test_a_blank_sentence_has_no_picture(tmp_path, arguments):
    result = run("good", *arguments, "-o", tmp_path / "a.png", app=attention.app)
    assert isinstance(result.exception, SettingError)
    assert result.exception.exit_code == 2
