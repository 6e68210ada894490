"""`ferryman bundle`: what is inside is shown, checked and packed; damage is told in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ferryman_bundle.manifest import Parity, Quality, SearchSettings, Shortlist, Speed
from ferryman_bundle.sealed import SealedBundle
from ferryman_server import quarantine
from ferryman_server.commands.bundle import app
from ferryman_server.commands.inspection import describe, harmless
from ferryman_server.start_errors import BundleUnusableError

STORED = Path(__file__).parents[3] / "data" / "format-1"


@pytest.fixture
def directory(tmp_path):
    return shutil.copytree(STORED, tmp_path / "bundle")


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def refusal_of(*arguments):
    """Run what must fail, and return the message; the command prints it and gives its code."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, BundleUnusableError)
    assert result.exception.exit_code == 4
    assert "\n" not in str(result.exception)
    return str(result.exception)


def shown(sealed, width=140):
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(describe(sealed))
    return capture.get()


def test_inspecting_shows_what_a_person_asks_first():
    text = shown(SealedBundle.read(STORED))
    for fact in (
        "format-1 0.1.0",
        "en → fr",
        "transformer, 59,264 parameters",
        "512 pieces",
        "128 tokens in, 272 out",
        "beam 4, length penalty 1",
        "Mixed; see LICENSE",
        "1, whose manifest has no seal",
        "be0e8b92f5ac9c18706e23551bd040967fcff3b498f69e96584aeb89a499098e",
        "encoder, step",
        "100.00%",
        "50 sentences",
        "1,026 steps",
        "weights.safetensors",
        "onnxruntime 1.31.1",
    ):
        assert fact in text, fact


def test_the_weights_of_a_variant_are_what_they_take_on_disk():
    sealed = SealedBundle.read(STORED)
    row = next(line for line in shown(sealed).splitlines() if line.startswith(" fp32"))
    size = float(row.split()[2])
    assert row.split()[3] == "kB"
    assert size == pytest.approx(len(sealed.contents["weights.safetensors"]) / 1e3, rel=0.15)
    assert size < len(sealed.contents["weights.safetensors"]) / 1e3


def test_what_was_measured_is_shown_for_each_variant():
    sealed = SealedBundle.read(STORED)
    search = SearchSettings(beam_size=1, length_penalty=1.0)
    variant = sealed.manifest.variants["fp32"].model_copy(
        update={
            "parity": Parity(
                sentences=9,
                steps=99,
                worst_difference={"a": 1e-3, "b": float("nan"), "c": 5.0},
                argmax_agreement=0.5,
                greedy_identity=0.25,
                accepted_loss=True,
            ),
            "quality": Quality(
                test_set="t",
                sentences=8,
                bleu=31.24,
                bleu_signature="",
                chrf=57.75,
                chrf_signature="",
                search=search,
            ),
            "speed": Speed(
                tokens_per_second_alone=1514.0,
                tokens_per_second_together=3000.0,
                together=32,
                sentences=64,
                device="a processor",
                search=search,
            ),
        }
    )
    shortlist = Shortlist(file="LICENSE", max_candidates=500, bleu_cost=0.12)
    manifest = sealed.manifest.model_copy(
        update={"variants": {"int8": variant}, "shortlist": shortlist, "golden": {}}
    )
    text = shown(SealedBundle(sealed.document, manifest, sealed.contents, 2))
    row = next(line for line in text.splitlines() if line.startswith(" int8"))
    assert row.split()[4:] == ["31.2", "57.8", "1,514/3,000", "50.00%", "25.0%", "nan"]
    assert "encoder, step; proven by 0 golden sentences" in text
    assert "int8: tokens a CPU second, one sentence at a time / 32, " in text
    assert "one thread of a processor" in " ".join(text.split())
    assert "int8 fell short of what is required, and was accepted all the same." in text
    assert "up to 500 tokens of a sentence, costs 0.12 BLEU" in text


def test_a_terminal_obeys_nothing_that_a_bundle_says():
    assert harmless("a\x1b[2Jb\r\u202ec\nd\x9b") == "a\ufffd[2Jb\ufffd\ufffdc\nd\ufffd"
    sealed = SealedBundle.read(STORED)
    manifest = sealed.manifest.model_copy(update={"description": "x\x1b[2J [red]y[/]"})
    text = shown(SealedBundle(sealed.document, manifest, sealed.contents, 1))
    assert "x\ufffd[2J [red]y[/]" in text


def test_inspecting_as_json_gives_the_manifest_of_today():
    manifest = json.loads(run("inspect", "--json", STORED).stdout)
    assert manifest["format_version"] == 2
    assert manifest["variants"]["fp32"]["quality"]["sentences"] == 50


def test_a_sound_bundle_is_verified():
    result = run("verify", STORED)
    assert "7 files, 0.1 MB: every byte as the manifest says" in result.stdout
    assert "ok      fp32: 12 golden sentences as where it was made" in result.stdout


def test_a_variant_that_computes_otherwise_fails(monkeypatch):
    monkeypatch.setattr(quarantine, "try_out", lambda *arguments: "translates otherwise")
    result = run("verify", STORED, code=1)
    assert "FAILED  fp32: translates otherwise" in result.stdout


@pytest.mark.parametrize("verb", ["inspect", "verify", "card"])
def test_damage_is_told_in_one_line(directory, verb):
    (directory / "step.onnx").write_bytes(b"")
    assert refusal_of(verb, directory).startswith(f"{directory}: step.onnx: is 0 bytes long")


def test_the_card_is_printed_as_it_is():
    assert run("card", STORED).stdout == (STORED / "README.md").read_text("utf-8")


def test_packing_and_unpacking_give_the_same_bundle(directory, tmp_path):
    result = run("pack", directory, tmp_path / "packed")
    assert result.stdout == ""
    assert result.stderr == f"format-1 0.1.0 is in {tmp_path / 'packed'}\n"
    run("unpack", tmp_path / "packed", tmp_path / "again")
    before, after = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (directory, tmp_path / "again")
    )
    assert before == after
    assert "fp32: 12 golden" in run("verify", tmp_path / "packed").stdout


def test_nothing_is_overwritten(directory, tmp_path):
    run("pack", directory, tmp_path / "packed")
    assert "exists already" in refusal_of("pack", directory, tmp_path / "packed")
    assert "exists already" in refusal_of("unpack", tmp_path / "packed", directory)


def test_nothing_is_unpacked_before_every_byte_is_checked(directory, tmp_path):
    packed = tmp_path / "packed"
    run("pack", directory, packed)
    content = bytearray(packed.read_bytes())
    content[-2000] ^= 1  # in the last file, which is the weights
    packed.write_bytes(content)
    message = refusal_of("unpack", packed, tmp_path / "again")
    assert message.startswith(f"{packed}: weights.safetensors: does not have the SHA-256")
    assert not (tmp_path / "again").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "packed"]
