"""Real texts through the default model, as the service treats them, without the network."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ferryman.v1 import translation_service_pb2
from ferryman_server.catalogue import Catalogue
from ferryman_server.config import load_config
from ferryman_server.limits import Limits
from ferryman_server.loading import load_bundle, model_of, running_engine
from ferryman_server.model import Model
from ferryman_server.translation import TextTranslation
from ferryman_server.translator import Translator
from ferryman_server.wire.requests import parse_translation_request

# What makes their texts are modules of their own, which --import-mode=importlib does not look for.
sys.path.insert(0, str(Path(__file__).parent))

BUNDLE = Path(__file__).parents[2] / "models/en-fr/ferryman_model_en_fr/bundle"
_AT_ONCE = 500
"""Texts in one request."""

Translate = Callable[..., list[TextTranslation]]


@pytest.fixture(scope="session")
def default_model() -> Iterator[Model]:
    """The model that comes with the project, in an engine that does nothing else."""
    # It was made here and is in no need of a trial.
    config = load_config({"trial_seconds": "0", "workers": "2"})
    bundle = load_bundle(BUNDLE, config)
    with running_engine(bundle, config) as engine:
        yield model_of(bundle, engine, config)


@pytest.fixture(scope="session")
def translate(default_model: Model) -> Iterator[Translate]:
    """Translate texts, and take the fields of a request: ``translate(texts, mime_type=...)``."""
    limits = Limits()
    with ThreadPoolExecutor(max_workers=1) as executor:
        translator = Translator(Catalogue([default_model]), limits, executor)

        def all_of(texts: Sequence[str], **fields: object) -> list[TextTranslation]:
            found: list[TextTranslation] = []
            for start in range(0, len(texts), _AT_ONCE):
                contents = texts[start : start + _AT_ONCE]
                message = translation_service_pb2.TranslateTextRequest(contents=contents, **fields)
                request, _ = parse_translation_request(message, limits, deadline=None)
                found += asyncio.run(translator.translate(request)).texts
            return found

        yield all_of


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of the run's seed."""
    return random.Random(request.config.option.seed)
