"""Recipes: how the graphs of a variant compute, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ferryman_bundle.variant import Provider


class Numbers(StrEnum):
    """What the linear layers of a variant compute with."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make a variant, and what it has to show."""

    name: str
    """Of the variant."""
    provider: Provider
    """What it is tuned for."""
    numbers: Numbers
    fused: bool
    """Whether operators of ONNX Runtime's own are allowed (``com.microsoft``)."""
    opset: int
    """Version of the standard operators."""
    agreement: float
    """Share of teacher-forced steps at which it must have the model's likeliest token."""


FP32: Final = Recipe(
    name="fp32", provider="cpu", numbers=Numbers.FLOAT32, fused=True, opset=20, agreement=0.999
)
INT8: Final = Recipe(
    name="int8", provider="cpu", numbers=Numbers.INT8, fused=True, opset=20, agreement=0.98
)
FP16: Final = Recipe(
    name="fp16", provider="cuda", numbers=Numbers.FLOAT16, fused=True, opset=20, agreement=0.98
)
PORTABLE: Final = Recipe(
    name="portable",
    provider="any",
    numbers=Numbers.FLOAT32,
    fused=False,
    opset=18,
    agreement=0.999,
)
"""Standard operators only, of a version that every provider knows; it is alone in its bundle."""
