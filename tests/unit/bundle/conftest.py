"""A small bundle on disk. Its graphs are any bytes: nothing in `ferryman_bundle` parses them."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
import sentencepiece

from ferryman_bundle import Manifest
from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.manifest import Storage
from ferryman_bundle.quantization import dequantize, quantize
from ferryman_bundle.weights import pack_weights
from ferryman_bundle.writer import describe_files, write_bundle

_WORDS = ("a small bundle for the tests of loading", "another sentence with other words in it")


@pytest.fixture(scope="session")
def tokenizer_model():
    """The bytes of a real tokenizer of 280 pieces, most of them bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(_WORDS * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=288,
        byte_fallback=True,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def tensors():
    """One matrix that was rounded before, one that was not, and a vector."""
    draw = np.random.default_rng(1)
    rounded = dequantize(quantize(draw.normal(size=(12, 8)).astype(np.float32), 0))
    return {
        "embedding.weight": rounded,
        "step.kernel": draw.normal(size=(8, 8)).astype(np.float32),
        "norm.bias": draw.normal(size=8).astype(np.float32),
    }


@pytest.fixture(scope="session")
def contents(tokenizer_model, tensors):
    """Every file of the bundle but the manifest."""
    return {
        "encoder.onnx": b"the encoder, as far as a bundle knows",
        "step.onnx": b"the decoder step, likewise",
        "step_full.onnx": b"the same with another tail",
        "scorer.onnx": b"what looks at whole targets",
        "shortlist.safetensors": _shortlist().pack(),
        "weights.safetensors": pack_weights(tensors, Storage.INT8)[0],
        "tokenizer.model": tokenizer_model,
        "README.md": b"# A card\n",
        "LICENSE": b"Do as you like.\n",
    }


def _shortlist():
    """The end of sentence for all, and one more piece for each."""
    return LexicalShortlist(
        always=np.array([3], np.int32),
        offsets=np.arange(289, dtype=np.int32),
        targets=np.arange(288, dtype=np.int32)[::-1].copy(),
    )


def initializer(tensor, part="floats", *, transposed=False):
    """An initializer as it is written in a manifest."""
    return {"tensor": tensor, "part": part, "transposed": transposed}


@pytest.fixture(scope="session")
def document(contents, tensors):
    """The manifest as the JSON document it is."""
    _, entries = pack_weights(tensors, Storage.INT8)
    cache = {
        "name": "cache.0.key",
        "kind": "cache",
        "dtype": "float32",
        "shape": ["hypotheses", 2, "capacity", 4],
        "length_axis": 2,
        "padding": 0.0,
        "output": "present.0.key",
    }
    bias = {
        "name": "memory.bias",
        "kind": "memory",
        "dtype": "float32",
        "shape": ["sources", 1, 1, "source_length"],
        "length_axis": 3,
        "padding": "-Infinity",
        "output": None,
    }
    return {
        "format": "ferryman-bundle",
        "format_version": 2,
        "name": "small",
        "version": "1.0",
        "description": "For tests.",
        "licence": "CC0-1.0",
        "family": "transformer",
        "parameters": 168,
        "language_pairs": [{"source": "en", "target": "fr"}],
        "tokens": {
            "pad": 0,
            "unknown": 1,
            "bos": 2,
            "eos": 3,
            "vocabulary_size": 288,
            "never_generated": [0, 1, 2],
        },
        "limits": {"max_source_tokens": 128, "max_target_tokens": 272},
        "generation": {
            "beam_size": 4,
            "length_penalty": 1.0,
            "max_length_ratio": 2.0,
            "max_length_offset": 16,
        },
        "variants": {
            "fp32": {
                "provider": "cpu",
                "graphs": {
                    "encoder": {
                        "file": "encoder.onnx",
                        "initializers": {"embedding.weight": initializer("embedding.weight")},
                    },
                    "step": {
                        "file": "step.onnx",
                        "initializers": {name: initializer(name) for name in sorted(tensors)},
                    },
                    "step_full": {"file": "step_full.onnx", "initializers": {}},
                    "scorer": {"file": "scorer.onnx", "initializers": {}},
                },
                "state": [bias, cache],
                "parity": None,
                "quality": None,
                "speed": None,
            }
        },
        "weights": {name: entry.model_dump(mode="json") for name, entry in entries.items()},
        "files": {name: entry.model_dump() for name, entry in describe_files(contents).items()},
        "golden": {
            "fp32": [{"text": "a", "source_ids": [5], "ids": [6, 7], "log_prob": -1.5}],
        },
        "shortlist": {
            "file": "shortlist.safetensors",
            "max_candidates": 20,
            "bleu_cost": None,
        },
        "environment": {"python": "3.11"},
    }


@pytest.fixture(scope="session")
def manifest(document):
    return Manifest.model_validate(document)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory, manifest, contents):
    """The directory that `write_bundle` made; not to be changed."""
    directory = tmp_path_factory.mktemp("bundles") / "small"
    write_bundle(directory, manifest, contents)
    return directory


@pytest.fixture
def directory(pristine, tmp_path):
    """A copy of the bundle to do harm to."""
    return shutil.copytree(pristine, tmp_path / "bundle")
