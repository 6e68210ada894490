"""What a manifest says about a model before anything is proved."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from ferryman_bundle.manifest import Generation, LanguagePair, Limits, SearchSettings, Tokens
from ferryman_bundle.tokenizer import BOS, EOS, PAD, UNKNOWN
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.decoding import NEVER_GENERATED, length_limit

_PACKAGES: Final = (
    "ferryman",
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "numpy",
    "safetensors",
    "sentencepiece",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What only the person who exports can say about a model."""

    name: str
    version: str
    description: str
    """One sentence."""
    licence: str
    """SPDX expression, or a sentence."""
    licence_text: str
    data: str | None
    """About the training data, Markdown."""


def describe(
    checkpoint: Checkpoint, description: Description, search: SearchSettings
) -> Mapping[str, Any]:
    """Return the fields of `Manifest` that follow from the checkpoint and from a person.

    Args:
        checkpoint: The trained model.
        description: What the person says.
        search: The default search.
    """
    config = checkpoint.config
    longest = config.corpus.max_tokens
    source, target = config.corpus.source_language, config.corpus.target_language
    return {
        "name": description.name,
        "version": description.version,
        "description": description.description,
        "licence": description.licence,
        "family": config.model.family,
        "language_pairs": (LanguagePair(source=source, target=target),),
        "tokens": Tokens(
            pad=PAD,
            unknown=UNKNOWN,
            bos=BOS,
            eos=EOS,
            vocabulary_size=checkpoint.tokenizer.vocabulary_size,
            never_generated=NEVER_GENERATED,
        ),
        "limits": Limits(max_source_tokens=longest, max_target_tokens=length_limit(longest)),
        "generation": Generation(
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            max_length_ratio=float(length_limit(1) - length_limit(0)),
            max_length_offset=length_limit(0),
        ),
        "environment": _environment(),
    }


def _environment() -> dict[str, str]:
    """Return the versions that make the bundle."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
