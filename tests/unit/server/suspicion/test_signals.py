"""What mistakes of models look like, and what only looks like one."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from ferryman_server.engine import FinishReason
from ferryman_server.suspicion import signals
from ferryman_server.suspicion.quality import estimate_quality
from ferryman_server.suspicion.signals import Doubt, doubts

SAMPLE = Path(__file__).parents[3] / "data/sample.en-fr.tsv"
EOS = FinishReason.EOS


def found(source: str, target: str, reason: FinishReason = EOS, language: str = "fr") -> set[str]:
    return {str(doubt) for doubt in doubts(source, target, reason, languages=("en", language))}


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(signals)
    assert failures == 0
    assert examples == 5


@pytest.mark.parametrize(
    ("source", "target", "doubt"),
    [
        ("use it if not there", "utilisez-le s'il n'y a pas pas pas pas", "repetition"),
        ("use it", "de la de la de la de la", "repetition"),
        ("The network is not available at this moment.", "Non.", "unusual_length"),
        ("Yes, that is what it is.", "Oui, " * 30, "unusual_length"),
        ("the file is not there", "The file is not there", "source_copied"),
        ("The network is down", "Сеть не работает", "wrong_script"),
        (
            "There are 12 files in 3 folders",
            "Il y a 12 fichiers dans les dossiers",
            "number_missing",
        ),
    ],
)
def test_what_looks_wrong_is_named(source, target, doubt):
    assert doubt in found(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("no no no no", "non non non non"),
        ("apt install ferryman", "apt install ferryman"),
        ("a b c d e f", "f e d c b a"),
        ("1,024.5 MB", "1 024,5 Mo"),
        ("Ελλάδα Ελλάδα", "Ελλάδα Ελλάδα"),
        ("OK", "D'accord"),
        ("", ""),
    ],
)
def test_what_is_right_is_left_alone(source, target):
    assert found(source, target) == set()


def test_translations_of_people_are_hardly_ever_doubted():
    pairs = [line.split("\t")[:2] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    doubted = [pair for pair in pairs if found(*pair)]
    assert len(doubted) <= 0.005 * len(pairs), doubted[:5]


def test_what_was_cut_in_a_loop_repeats_itself():
    assert found("a", "b", FinishReason.LOOP_GUARD) == {"repetition"}


def test_quality_goes_with_the_mean_log_probability_and_halves_with_a_doubt():
    good, bad = estimate_quality([-0.1, -0.3]), estimate_quality([-1.0, -2.0])
    assert 0 < bad < good < 1
    assert estimate_quality([-0.1, -0.3], {Doubt.REPETITION}) == good / 2
    assert estimate_quality([-0.1, -0.3], {Doubt.NUMBER_MISSING}) == good
    assert estimate_quality([]) == 1.0
