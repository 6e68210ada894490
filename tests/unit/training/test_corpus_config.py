"""What a config may say about its corpus, and what it means."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w

from ferryman_training.config import load_config, parse_config
from ferryman_training.corpus_config import CorpusPart
from ferryman_training.errors import ConfigError

SEVERAL = """
[corpus]
valid = { source = "v.en", target = "v.fr" }
cache = "cache"

[[corpus.train]]
path = "a.tsv.xz"
weight = 2.5

[[corpus.train]]
source = "b.en.zst"
target = "b.fr.zst"

[[corpus.train]]
path = "c.jsonl.gz"
source_field = "translation.en"
target_field = "translation.fr"
"""


def parse(text: str, folder: Path = Path("/corpora")):
    return parse_config(tomllib.loads(text), folder=folder, origin="c.toml").corpus


def test_several_parts_each_have_their_files_fields_and_weight():
    corpus = parse(SEVERAL)
    first, second, third = corpus.train
    assert (first.path, first.weight) == (Path("/corpora/a.tsv.xz"), 2.5)
    assert second.files == (Path("/corpora/b.en.zst"), Path("/corpora/b.fr.zst"))
    assert (third.source_field, third.target_field) == ("translation.en", "translation.fr")
    assert corpus.valid.files == (Path("/corpora/v.en"), Path("/corpora/v.fr"))
    assert corpus.cache == "/corpora/cache"
    assert [part.is_jsonl for part in corpus.train] == [False, False, True]


def test_a_path_is_short_for_a_corpus_of_one_part():
    short = parse('[corpus]\ntrain = "a.tsv"\nvalid = "b.tsv"')
    assert short.train == (CorpusPart(path=Path("/corpora/a.tsv")),)
    assert short == parse('[corpus]\nvalid = "b.tsv"\n[[corpus.train]]\npath = "a.tsv"')
    assert short == parse('[corpus]\nvalid = "b.tsv"\ntrain = ["a.tsv"]')
    assert short == parse('[corpus]\nvalid = "b.tsv"\ntrain = { path = "a.tsv" }')


def test_the_corpus_is_saved_as_it_was_written_and_read_back_equal(tmp_path):
    config = parse_config(tomllib.loads(SEVERAL), folder=tmp_path, origin="c.toml")
    path = tmp_path / "saved.toml"
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)), "utf-8")
    assert load_config(path) == config
    plain = parse_config(
        {"corpus": {"train": "a.tsv", "valid": "b.tsv"}}, folder=tmp_path, origin="c.toml"
    )
    assert plain.model_dump(mode="json", exclude_none=True)["corpus"]["train"] == [
        str(tmp_path / "a.tsv")
    ]


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        ("[]", "corpus.train: "),
        ("[{}]", "corpus.train.0: must have path, or both source and target"),
        ('[{source = "a"}]', "corpus.train.0: must have path, or both source and target"),
        ('["a", {path = "a", target = "b"}]', "corpus.train.1: must have path, or both"),
        ('[{path = "a", weight = 0}]', "corpus.train.0.weight: "),
        ('[{path = "a", colour = 1}]', "corpus.train.0.colour: there is no such setting"),
        ("3", "corpus.train: "),
    ],
)
def test_a_part_with_a_fault_is_named_by_its_number(train, fault):
    with pytest.raises(ConfigError) as caught:
        parse(f'[corpus]\nvalid = "b.tsv"\ntrain = {train}')
    _, line = str(caught.value).splitlines()
    assert line.strip().startswith(fault)


def test_a_part_can_be_overridden_as_toml(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[corpus]\ntrain = "a.tsv"\nvalid = "b.tsv"', "utf-8")
    config = load_config(path, ['corpus.train=[{path = "x.tsv", weight = 0.5}]'])
    assert config.corpus.train == (CorpusPart(path=tmp_path / "x.tsv", weight=0.5),)
