"""What all sections of a manifest have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Label = Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A name or a short remark: it ends up in log lines and tables, so it is one line."""
Prose = Annotated[str, Field(max_length=100_000)]
"""Text of a person, of any number of lines."""
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A name without any folder: what it cannot spell, it cannot reach."""


class Section(BaseModel):
    """A frozen value of a manifest; a field that is not known is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
