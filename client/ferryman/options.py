"""What a translation may be asked for with: the options that all methods share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ferryman.search import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What to return besides the translated texts and their scores.

    >>> Output(alignments=True)
    Output(tokens=False, alignments=True, attention=False, sentences=False)
    """

    tokens: bool = False
    """Tokens of the texts and of the hypotheses, each with its log-probability."""
    alignments: bool = False
    """Links between the words of a text and those of its hypotheses."""
    attention: bool = False
    """The cross-attention of each token; large."""
    sentences: bool = False
    """The sentences that each text was split into, and what became of each."""


class TranslateOptions(TypedDict, total=False):
    """How to translate; every option may be left out."""

    source: str
    """BCP-47 code of the language of the text; where it is left out, the server's only one."""
    target: str
    """BCP-47 code of the language to translate into; as ``source``."""
    model: str
    """``name`` or ``name@version``; the server chooses where it is left out."""
    search: Search | None
    """`Greedy`, `Beam` or `Sampling`; the model's own where it is left out."""
    output: Output | None
    """What to return besides the translations."""
    mime_type: str
    """``text/plain``, which it is where it is left out, or ``text/html`` or ``text/markdown``."""
