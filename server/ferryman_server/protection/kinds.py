r"""Kinds of protected spans, and how each is recognised.

Every expression takes time linear in the text: a repetition is possessive, bounded, or followed by
what it cannot itself match, and begins where no earlier attempt can have begun.

The order of the kinds is their order of precedence where two begin at the same place.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from ferryman_bundle.tokenizer import RESERVED


class Kind(StrEnum):
    """What a protected span is."""

    PHRASE = "phrase"
    """Words that the caller wants copied."""
    PATTERN = "pattern"
    """What a regular expression of the caller matches."""
    MARKUP = "markup"
    """A part of a document that is no text."""
    TERM = "term"
    """A term of a glossary, in whose place its translation is restored."""
    RESERVED = "reserved"
    """A character that is reserved for our own use, and that the text has nevertheless."""
    CODE = "code"
    """```quoted code```, in backticks."""
    URL = "url"
    """``https://example.com/a?b=c``."""
    EMAIL = "email"
    """``somebody@example.com``."""
    TAG = "tag"
    """``<b>`` or ``</b>`` in a text that is not declared to be markup."""
    TEMPLATE = "template"
    """``${name}``, ``$NAME``, ``{{ name }}``."""
    BRACES = "braces"
    """``{}``, ``{0}``, ``{name!r:>10}``, ``{count, plural, one {# file} other {# files}}``."""
    PRINTF = "printf"
    """``%s``, ``%5.2f``, ``%1$s``, ``%(name)s``, ``%%``, ``%1``."""
    PATH = "path"
    r"""``/etc/fstab``, ``~/.profile``, ``src/main.c``, ``C:\Windows``."""
    COMMAND = "command"
    """``--option=VALUE``, ``-x``, ``open(2)``."""
    QUANTITY = "quantity"
    """A number and the symbol of its unit: ``16 GiB``, ``50 %``, ``2.4 GHz``."""


ORDERED: Final = frozenset({Kind.PRINTF, Kind.BRACES})
"""Kinds whose spans mean something by their order where they name nothing: ``%s`` and ``{}``."""

BY_POSITION: Final = re.compile(r"%(?!\d+\$|\(|%|\d+\b(?![a-zA-Z]))|\{(?:[!:][^{}]*)?\}")
"""What in such a span takes the next argument, whichever that is."""

_UNITS: Final = (
    r"%|°[CF]?|[kKMGTP]i?(?:B|bit|b)(?:/s|ps)?|[kKMGT]?(?:Hz|W|V|A|N|J|Pa|dpi)|[dcmkµn]?m[²³23]?"
    r"|[mkµ]?g|[mµn]?s|min|h|[mcd]?[lL]|km/h|m/s|dB|px|pt|em|fps|rpm|B"
)

EXPRESSIONS: Final[tuple[tuple[Kind, str], ...]] = (
    (Kind.RESERVED, f"[{RESERVED[0]}-{RESERVED[-1]}]"),
    (Kind.CODE, r"``(?:[^`\n]|`(?!`))++``|`[^`\n]++`"),
    (
        Kind.URL,
        r"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{1,20}+://|www\.|mailto:)"
        r"[^\s<>\"`{}|^⟨⟩«»“”]*+",
    ),
    (Kind.EMAIL, r"(?<![\w.+-])[\w.+-]{1,64}+@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)+"),
    (Kind.TAG, r"</?[A-Za-z][^<>\n]{0,400}>|&(?:[A-Za-z]{2,20}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});"),
    (
        Kind.TEMPLATE,
        r"\$\{[^{}\n]{1,200}\}|\{\{[^{}\n]{0,200}\}\}|\{%[^{}\n]{1,200}%\}|\$[A-Za-z_]\w*+",
    ),
    (
        Kind.BRACES,
        r"\{(?:[\w.\[\]]{0,80}+)(?:![rsa])?(?::[^{}\n]{0,80})?\}"
        r"|\{\s*\w{1,80}\s*,\s*[a-z]{2,20}\s*(?:,|\})",
    ),
    (
        Kind.PRINTF,
        r"%(?:\d{1,3}\$|\(\w{1,80}\))?[-+#0']*+(?:\*|\d{1,5}+)?(?:\.(?:\*|\d{1,5})?)?"
        r"(?:(?:hh|h|ll|l|L|q|j|z|t|I64|I)?[A-Za-z@%]|<PRI\w{1,12}>)|%L?\d{1,2}|%\{\w{1,80}\}",
    ),
    (
        Kind.PATH,
        r"(?<![\w/.~:<-])(?:~|\.{1,2})?(?:/[\w.+@~*?-]+)++/?+"
        r"|(?<![\w/.-])[\w.+-]{1,80}+(?:/[\w.+*-]{1,80}+)++/?"
        r"|(?<!\w)[A-Za-z]:\\[\w.\\-]++",
    ),
    (
        Kind.COMMAND,
        r"(?<![\w-])(?:--[A-Za-z][\w-]*+(?:=[\w./+-]*+)?|-[A-Za-z](?![\w-]))"
        r"|(?<![\w.+-])[A-Za-z_][\w.+-]{0,80}+\(\d[a-z]{0,3}\)",
    ),
    (Kind.QUANTITY, rf"(?<![\w.,])[+-]?\d++(?:[.,]\d++)*+[ \u00a0\u202f]?(?:{_UNITS})(?!\w)"),
)
"""The kinds that are recognised by their looks."""

TRIGGER: Final = re.compile(
    rf"[%{{$@/\\`<&{RESERVED[0]}-{RESERVED[-1]}]|www\.|mailto:|\d[ \u00a0\u202f]?[A-Za-z°µ]"
    r"|(?<!\w)-[A-Za-z-]|\(\d"
)
"""What a text must have somewhere for any of them to be in it."""
