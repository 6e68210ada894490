"""Which model a request is for."""

from __future__ import annotations

import pytest

from ferryman_server.catalogue import Catalogue
from ferryman_server.errors import ModelNotFoundError, UnsupportedLanguagePairError


@pytest.fixture
def catalogue(model_for, manifest_for, engine):
    return Catalogue(
        [
            model_for(engine, manifest_for("first", ["en-fr"])),
            model_for(engine, manifest_for("second", ["fr-en", "fr-de"])),
            model_for(engine, manifest_for("third", ["zh>en", "zh-Hant>en"])),
        ]
    )


@pytest.mark.parametrize(
    ("name", "source", "target", "expected"),
    [
        (None, None, None, ("first", "en", "fr")),
        (None, "en", "fr", ("first", "en", "fr")),
        (None, "EN", "Fr", ("first", "en", "fr")),
        (None, "en-GB", "fr-CA", ("first", "en", "fr")),
        (None, "en-001", "fr-419", ("first", "en", "fr")),
        (None, None, "de", ("second", "fr", "de")),
        (None, "fr", "en", ("second", "fr", "en")),
        ("first", None, None, ("first", "en", "fr")),
        ("first@1.2.3", "en", None, ("first", "en", "fr")),
        ("third", "zh-Hant", "en", ("third", "zh-Hant", "en")),
        ("third", "zh-TW", "en", ("third", "zh", "en")),
    ],
)
def test_a_request_finds_its_model(catalogue, name, source, target, expected):
    route = catalogue.route(name, source, target)
    found = (route.model.manifest.name, route.languages.source, route.languages.target)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        (None, "xx", "fr"),
        ("first", "fr", "en"),
        (None, "zh-Latn", "en"),  # a script is no region
        ("second", None, None),  # two pairs: which?
        ("second", "fr", None),
    ],
)
def test_a_pair_that_is_not_there_or_not_clear_is_refused(catalogue, name, source, target):
    with pytest.raises(UnsupportedLanguagePairError) as caught:
        catalogue.route(name, source, target)
    assert caught.value.metadata["available"]


def test_a_refusal_names_the_pairs_there_are(catalogue):
    with pytest.raises(UnsupportedLanguagePairError, match="en-fr") as caught:
        catalogue.route("first", "de", "en")
    assert caught.value.metadata["available"] == "en-fr"


@pytest.mark.parametrize("name", ["fourth", "first@9", "First", ""])
def test_an_unknown_model_is_named_with_those_there_are(catalogue, name):
    with pytest.raises(ModelNotFoundError) as caught:
        catalogue.route(name, None, None)
    assert caught.value.metadata["available"] == "first@1.2.3, second@1.2.3, third@1.2.3"


def test_a_catalogue_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Catalogue([])
