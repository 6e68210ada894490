"""Configs: what they mean, and that every fault is named at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from ferryman_training.checkpoint import CONFIG, save_config
from ferryman_training.config import TrainingConfig, load_config, parse_config
from ferryman_training.config_section import Section
from ferryman_training.errors import ConfigError
from ferryman_training.model_config import RecurrentConfig, TransformerConfig

ROOT = Path(__file__).parents[3]
MINIMAL = {"corpus": {"train": "a.tsv", "valid": "b.tsv"}}


def faults(document: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(document, folder=Path(), origin="x.toml")
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("x.toml has ")
    return [line.strip() for line in lines]


def test_every_fault_is_named_at_once_with_its_path():
    document = {
        "corpus": {"train": "a.tsv"},
        "model": {"width": 512, "heads": 7, "depth": 3, "dropout": 1.0},
        "optimizer": {"kind": "newton", "learning_rate": "fast"},
        "run": {"steps": 0},
        "extra": 1,
    }
    found = faults(document)
    assert "corpus.valid: is required" in found
    assert "model.heads: 7 does not divide model.width 512" in found
    assert "model.depth: there is no such setting" in found
    assert "extra: there is no such setting" in found
    begun = {line.partition(":")[0] for line in found}
    assert begun >= {"model.dropout", "optimizer.kind", "optimizer.learning_rate", "run.steps"}
    assert len(found) == 8


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"model": {"width": 250}}, "model.heads: 4 does not divide model.width 250"),
        ({"model": {"width": 15, "heads": 5}}, "model.width: 15 is odd"),
        (
            {"model": {"family": "oracle"}},
            "model.family: must be one of 'transformer', 'recurrent'",
        ),
        ({"model": 3}, "model: must be a section, but is 3"),
        ({"model": {"norm": "sandwich"}}, "model.norm: "),
        ({"model": {"activation": "tanh"}}, "model.activation: "),
        (
            {"model": {"positions": "rotary", "width": 12, "heads": 4}},
            'model.positions: "rotary" turns pairs of dimensions, but model.width 12 / '
            "model.heads 4 is 3, which is odd",
        ),
        (
            {"model": {"positions": "learned", "max_positions": 128}},
            "model.max_positions: 128 are too few for a sentence of corpus.max_tokens 128",
        ),
        ({"model": {"aligned_head": {"head": 1}}}, "model.aligned_head.layer: is required"),
        (
            {"model": {"aligned_head": {"layer": 2}}},
            "model.aligned_head: layer 2 is not there: model.decoder_layers is 2",
        ),
        (
            {"model": {"aligned_head": {"layer": 1, "head": 4}}},
            "model.aligned_head: head 4 is not there: model.heads is 4",
        ),
        ({"run": {"steps": 100}}, "run.steps: 100 is less than optimizer.warmup_steps 800"),
        ({"batch": {"tokens": 128}}, "batch.tokens: 128 does not hold one pair"),
        ({"vocabulary": {"size": 324}}, "vocabulary.size: "),
        ({"optimizer": {"learning_rate": float("inf")}}, "optimizer.learning_rate: "),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate: "),
        ({"run": {"device": "tpu"}}, "run.device: "),
        (
            {"optimizer": {"truncate_targets": 20}},
            'optimizer.truncate_targets: needs model.family "recurrent"',
        ),
        (
            {"optimizer": {"truncate_targets": 20, "sampling": "linear"}},
            "optimizer.truncate_targets and optimizer.sampling: needs ",
        ),
    ],
)
def test_settings_that_do_not_fit_each_other_or_their_range_are_faults(changes, fault):
    [found] = faults(MINIMAL | changes)
    assert found.startswith(fault)


RECURRENT = {"family": "recurrent"}


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"cell": "ssru"}, "model.cell: "),
        ({"width": 255}, "model.width: 255 is odd; model.bidirectional"),
        ({"attention": "none", "input_feeding": True}, "model.input_feeding: there is nothing"),
        ({"attention": "bahdanau", "input_feeding": True}, "model.input_feeding: belongs to"),
        ({"attention": "none", "bridge": "zero"}, 'model.bridge: "zero" shows the decoder nothing'),
        ({"bridge": "copy", "encoder_layers": 3}, 'model.bridge: "copy" needs equal depths'),
        ({"heads": 4}, "model.heads: there is no such setting"),
        ({"dropout": 1.0}, "model.dropout: "),
    ],
)
def test_settings_of_a_recurrent_model_that_do_not_fit_each_other_are_faults(model, fault):
    [found] = faults(MINIMAL | {"model": RECURRENT | model})
    assert found.startswith(fault)


@pytest.mark.parametrize(
    "model",
    [
        {"bidirectional": False, "width": 255},
        {"attention": "luong", "input_feeding": True, "bridge": "zero"},
        {"attention": "none", "bridge": "copy", "encoder_layers": 2, "decoder_layers": 2},
        {"bridge": "dense", "encoder_layers": 3, "decoder_layers": 1},
    ],
)
def test_settings_of_a_recurrent_model_that_fit_are_taken(model):
    config = parse_config(MINIMAL | {"model": RECURRENT | model}, folder=Path(), origin="x")
    assert isinstance(config.model, RecurrentConfig)
    assert config.model.model_dump() | model == config.model.model_dump()


def test_relative_paths_are_relative_to_the_file_and_overrides_to_the_current_folder(
    tmp_path, monkeypatch
):
    (tmp_path / "configs").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "configs" / "c.toml"
    path.write_text(tomli_w.dumps({"corpus": {"train": "../a.tsv", "valid": "b.tsv"}}), "utf-8")
    config = load_config(path, ["corpus.valid=c.tsv"])
    [train] = config.corpus.train
    assert train.path == tmp_path / "a.tsv"
    assert config.corpus.valid.path == tmp_path / "here" / "c.tsv"


def test_overrides_are_toml_values_and_strings_need_no_quotes(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(tomli_w.dumps(MINIMAL), "utf-8")
    config = load_config(
        path,
        ["run.steps=5000", "optimizer.betas=[0.8, 0.9]", "optimizer.kind=muon", 'name="x = y"'],
    )
    assert config.run.steps == 5000
    assert config.optimizer.betas == (0.8, 0.9)
    assert config.optimizer.kind == "muon"
    assert config.name == "x = y"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.steps", "must have the form section.key=value"),
        ("=3", "must have the form section.key=value"),
        ("name.first=3", "name is a value, not a section"),
        ("run.stepz=3", "run.stepz: there is no such setting"),
    ],
)
def test_a_wrong_override_is_a_fault(tmp_path, override, message):
    path = tmp_path / "c.toml"
    path.write_text(tomli_w.dumps({"name": "x"} | MINIMAL), "utf-8")
    with pytest.raises(ConfigError, match=message):
        load_config(path, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"a = ", "is not valid TOML"), (b'a = "\xff"', "not valid TOML")],
)
def test_a_file_that_is_no_toml_is_named(tmp_path, content, message):
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("aligned", [None, {"layer": 0, "head": 1}])
def test_a_config_as_saved_is_read_back_equal(document, tmp_path, aligned):
    if aligned is not None:
        document["model"]["aligned_head"] = aligned
    config = parse_config(document, folder=Path(), origin="x")
    save_config(config, tmp_path)
    assert load_config(tmp_path / CONFIG) == config


@pytest.mark.parametrize("path", sorted((ROOT / "training" / "configs").glob("*.toml")), ids=str)
def test_the_configs_that_come_with_the_package_are_valid(path):
    assert isinstance(load_config(path), TrainingConfig)


def table_of(readme: str, heading: str) -> dict[str, str]:
    """Return the defaults in the table under a heading, by setting."""
    _, _, text = readme.partition(f"\n{heading}\n")
    text, *_ = re.split(r"^#", text, flags=re.MULTILINE)
    return dict(re.findall(r"^\| `([a-z_.]+)` \| (.+?) \|", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "sections"),
    [
        (
            "## Settings",
            {
                name: field.annotation
                for name, field in TrainingConfig.model_fields.items()
                if name not in ("name", "model")
            },
        ),
        ('### A model of `family = "transformer"`', {"model": TransformerConfig}),
        ('### A model of `family = "recurrent"`', {"model": RecurrentConfig}),
    ],
)
def test_the_readme_lists_every_setting_with_its_default(heading, sections):
    listed = table_of((ROOT / "training" / "README.md").read_text("utf-8"), heading)
    listed.pop("name", None)
    assert listed == {
        path: default
        for section, annotation in sections.items()
        for path, default in defaults(annotation, section)
    }


def defaults(section: type[Section], path: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a section and of those in it, as the table shows them."""
    for key, setting in section.model_fields.items():
        if isinstance(setting.default, Section):
            yield from defaults(type(setting.default), f"{path}.{key}")
        elif setting.is_required():
            yield f"{path}.{key}", "required"
        else:
            default = setting.default
            yield f"{path}.{key}", "none" if default is None else f"`{json.dumps(default)}`"
