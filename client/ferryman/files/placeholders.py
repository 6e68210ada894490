"""Placeholders: what a program puts in the place of a value, and a translation must keep."""

from __future__ import annotations

import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"""
      %\(\w+\)[-+\#0]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]          # %(name)s of Python
    | %(?:\d+\$)?[-+\#0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|q|j|z|t|L)?[diouxXeEfFgGcsp@]\b
    | %[1-9]\d?(?![\d%])                                       # %1 of Qt
    | \$\{[\w.]+\} | \$\w*[A-Za-z_]\w*                         # ${name}, $name
    | \{\{\s*[\w.]+\s*\}\} | \{[\w.:!\[\]<>+,-]*\}             # {{name}}, {name:>8}, {0}
    | </?[A-Za-z][^<>]*>                                       # tags
    """,
    re.VERBOSE,
)


def placeholders_of(text: str) -> Counter[str]:
    """Return the placeholders of a text, and how often it has each.

    >>> sorted(placeholders_of("Copy %d files to {folder}, 5 % done"))
    ['%d', '{folder}']
    """
    return Counter(_PLACEHOLDER.findall(text))
