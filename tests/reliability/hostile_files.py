"""Bundles that are sealed and mean harm: every digest is right, and what it stands for is not."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx
from greedy_graphs import GREEDY, Attack
from lying_graphs import LYING

from ferryman_bundle.document import seal_of
from ferryman_bundle.manifest import MANIFEST, SEAL, TOKENIZER, WEIGHTS
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import describe_files


@dataclass
class Parts:
    """A bundle in parts: the manifest as JSON, and the other files by name."""

    document: dict[str, Any]
    contents: dict[str, bytes]

    @classmethod
    def of(cls, sealed: SealedBundle) -> Parts:
        return cls(json.loads(sealed.document), dict(sealed.contents))

    def sealed(self) -> dict[str, bytes]:
        """Every file, with digests that are right wherever the manifest has a place for them."""
        if isinstance(self.document.get("files"), dict):
            for name, entry in describe_files(self.contents).items():
                if name in self.document["files"]:
                    self.document["files"][name] = entry.model_dump()
        document = json.dumps(self.document).encode()
        return {MANIFEST: document, SEAL: seal_of(document), **self.contents}


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Bytes that are a little other: flipped, repeated, left out, or exchanged for extremes."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        at = chance.randrange(len(changed))
        size = chance.choice([1, 2, 8, 64])
        match chance.randrange(5):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                del changed[at : at + size]
            case 3:
                changed[at:at] = changed[at : at + size]
            case _:
                changed[at : at + size] = chance.randbytes(min(size, len(changed) - at))
        if not changed:
            return b""
    return bytes(changed)


def _graph(parts: Parts, chance: random.Random) -> str:
    return chance.choice(["encoder.onnx", "step.onnx"])


def mutated_graph(parts: Parts, chance: random.Random) -> None:
    name = _graph(parts, chance)
    parts.contents[name] = mutate(parts.contents[name], chance)


def exchanged_graphs(parts: Parts, chance: random.Random) -> None:
    name = _graph(parts, chance)
    others = [other for other in parts.contents if other != name]
    parts.contents[name] = parts.contents[chance.choice(others)][: chance.choice([None, 100, 1, 0])]


def attacked_graph(attack: Attack) -> Callable[[Parts, random.Random], None]:
    """A graph that was made to do harm."""

    def harm(parts: Parts, chance: random.Random) -> None:
        name = _graph(parts, chance)
        model = onnx.load_model_from_string(parts.contents[name])
        attack(model, chance)
        parts.contents[name] = model.SerializeToString()

    harm.__name__ = attack.__name__
    return harm


EXTREMES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    7,
    2**31,
    2**63,
    10**30,
    1e308,
    -0.0,
    float("nan"),
    float("inf"),
    "NaN",
    "-Infinity",
    "",
    "x",
    "x\ny\x1b[2J",
    "\u202e\0",
    "\ud800",
    "../../etc/passwd",
    "/dev/zero",
    "x" * 1_000_000,
    [],
    {},
    [[]] * 1000,
    "fp32",
    "memory",
    "hypotheses",
    ["sources", 1 << 20, "capacity"],
    ["hypotheses", "capacity", "capacity"],
)


def mutated_manifest(parts: Parts, chance: random.Random) -> None:
    """Another value somewhere, deep or not, or a member more or less."""
    for _ in range(chance.choice([1, 1, 2])):
        place: Any = parts.document
        while True:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.1:
                break
            place = place[key]
        match chance.randrange(6):
            case 0:
                del place[key]
            case 1 if isinstance(place, dict):
                place[str(chance.choice(EXTREMES))] = place.pop(key)
            case 2 if isinstance(place[key], int | float):
                place[key] = place[key] * chance.choice([-1, 0, 2, 1000, 1e18]) + 1
            case _:
                place[key] = chance.choice(EXTREMES)
        if not place:
            return


def misassigned_weights(parts: Parts, chance: random.Random) -> None:
    """Initializers that are other tensors, in other shapes and types."""
    graphs = parts.document["variants"]["fp32"]["graphs"]
    initializers = graphs[chance.choice(["encoder", "step"])]["initializers"]
    for name in chance.sample(sorted(initializers), 2):
        match chance.randrange(4):
            case 0:
                initializers[name]["tensor"] = chance.choice(sorted(parts.document["weights"]))
            case 1:
                parts_of = ["values", "scales", "halves", "floats"]
                initializers[name]["part"] = chance.choice(parts_of)
            case 2:
                initializers[name]["transposed"] = True
            case _:
                initializers[chance.choice(["input_ids", "", "other"])] = initializers.pop(name)


def mutated_state(parts: Parts, chance: random.Random) -> None:
    """A state that is not what the graphs have: other sizes, axes, kinds and names."""
    tensor = chance.choice(parts.document["variants"]["fp32"]["state"])
    match chance.randrange(5):
        case 0:
            at = chance.randrange(1, len(tensor["shape"]))
            tensor["shape"][at] = chance.choice(
                [1, 3, 1 << 20, "capacity", "source_length", "other"]
            )
        case 1:
            tensor["length_axis"] = chance.choice([None, 0, 1, 2, 3])
        case 2:
            tensor["dtype"] = "float16"
        case 3:
            tensor["kind"] = chance.choice(["memory", "recurrent", "cache"])
            tensor["shape"][0] = "sources" if tensor["kind"] == "memory" else "hypotheses"
            tensor["output"] = None if tensor["kind"] == "memory" else "present.0.key"
        case _:
            tensor["padding"] = chance.choice(["Infinity", 1e38, 0.0])


def mutated_weights(parts: Parts, chance: random.Random) -> None:
    parts.contents[WEIGHTS] = mutate(parts.contents[WEIGHTS], chance)


def lying_weights(parts: Parts, chance: random.Random) -> None:
    """A safetensors header that is not about the bytes that follow it."""
    content = parts.contents[WEIGHTS]
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    name = chance.choice([name for name in header if name != "__metadata__"])
    match chance.randrange(6):
        case 0:
            header[name]["shape"] = [2**40, 2**40]
        case 1:
            header[name]["data_offsets"] = chance.choice([[0, 2**62], [5, 4], [-1, 4], [0, 4]])
        case 2:
            header[name]["dtype"] = chance.choice(["F64", "BF16", "BOOL", "F8_E5M2", "X", ""])
        case 3:
            header["a" * 1_000_000] = header.pop(name)
        case 4:
            length = chance.choice([0, 1, 2**31, 2**63, 2**64 - 1])
            parts.contents[WEIGHTS] = struct.pack("<Q", length) + content[8:]
            return
        case _:
            deep = b"[" * 100_000
            parts.contents[WEIGHTS] = struct.pack("<Q", len(deep)) + deep + content
            return
    text = json.dumps(header).encode()
    parts.contents[WEIGHTS] = struct.pack("<Q", len(text)) + text + content[8 + length :]


def extreme_weights(parts: Parts, chance: random.Random) -> None:
    """Weights that are not numbers, or as large as numbers get."""
    content = bytearray(parts.contents[WEIGHTS])
    (length,) = struct.unpack("<Q", content[:8])
    value = chance.choice([b"\xff", b"\x7f", b"\x00", b"\x80"])
    start = chance.randrange(8 + length, len(content))
    content[start:] = value * (len(content) - start)
    parts.contents[WEIGHTS] = bytes(content)


def mutated_tokenizer(parts: Parts, chance: random.Random) -> None:
    parts.contents[TOKENIZER] = mutate(parts.contents[TOKENIZER], chance)


def attacked_tokenizer(parts: Parts, chance: random.Random) -> None:
    """A SentencePiece model with pieces and rules that no training makes."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(parts.contents[TOKENIZER])
    piece = chance.choice(list(model.pieces)[4:])
    match chance.randrange(7):
        case 0:
            piece.piece = "x" * chance.choice([100_001, 1_000_000])
        case 1:
            piece.score = chance.choice([float("nan"), float("inf"), -1e38])
        case 2:
            piece.piece = chance.choice(["", "\0", model.pieces[5].piece])
        case 3:
            piece.type = chance.choice([1, 2, 3, 4, 5, 6])
        case 4:
            model.normalizer_spec.precompiled_charsmap = chance.randbytes(chance.choice([3, 300]))
        case 5:
            model.trainer_spec.model_type = chance.choice([1, 2, 3, 4])
        case _:
            del model.pieces[chance.randrange(len(model.pieces)) :]
    parts.contents[TOKENIZER] = model.SerializeToString()


Harm = Callable[[Parts, random.Random], None]
_SLOW = {"loop_for_ever": 3, "nest": 6, "giant_string": 10, "function_chain": 10}
"""Attacks that take seconds each, and how often they are made."""
HARM: tuple[tuple[Harm, int], ...] = (
    *((attacked_graph(attack), _SLOW.get(attack.__name__, 20)) for attack in (*GREEDY, *LYING)),
    (mutated_graph, 170),
    (exchanged_graphs, 12),
    (mutated_manifest, 200),
    (misassigned_weights, 46),
    (mutated_state, 60),
    (mutated_weights, 24),
    (lying_weights, 24),
    (extreme_weights, 12),
    (mutated_tokenizer, 24),
    (attacked_tokenizer, 24),
)
"""Every kind of harm, and how often of a thousand times it is done."""
