"""What the linear layers of a variant compute with."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """The variants that a bundle can have, the most exact first; the values are their names."""

    FP32 = "fp32"
    INT8 = "int8"
