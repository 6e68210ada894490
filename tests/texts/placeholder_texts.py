"""Sentences with placeholders of every kind, made at random."""

from __future__ import annotations

import random
import re

SPANS = {
    "printf": ["%s", "%d", "%5.2f", "%lu", "%1$s", "%2$-8s", "%(name)s", "%%", "%-20.20s", "%1"],
    "braces": ["{}", "{0}", "{name}", "{count!r}", "{x:>10}", "{n, plural, one {a} other {# b}}"],
    "template": ["${x}", "{{ user.name }}", "$HOME", "{% include 'a' %}"],
    "url": ["https://example.com/a?b=1&c=(d)", "http://deb.debian.org/debian/", "www.gnu.org"],
    "email": ["joe.bloggs@example.com", "a+b@c-d.org"],
    "path": ["/etc/apt/sources.list.d/", "src/main.c", "~/.profile", "C:\\Windows\\x.dll"],
    "code": ["`apt update`", "``x = 'é'``"],
    "quantity": ["16 GiB", "50 %", "2.4 GHz", "-3,5 °C", "100%"],
    "tag": ['<a href="x?y=%s&amp;z">', "<br/>", "&nbsp;"],
}
TEMPLATES = [
    "Cannot open @: no such file or directory.",
    "The file @ was not found in @.",
    "@ is not a valid option",
    "@: unable to resolve host @ (@)\n",
    "Please see @ for more information about @, or write to @.",
    "Failed to write @ to @ (error @)",
    "usage: @ [OPTION]... @",
    "Install <b>@</b> and <i>restart the server</i> on @.",
    "  This package contains @ and the library for @.\n\n    It needs @.",
    "(@)(@)[@] of @",
    "@ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ @ are too many to count",
    "Do you want to replace @ by @? [y/N] ",
    "Press any key",
]


def placeholder_text(chance: random.Random) -> tuple[str, list[str]]:
    """Return a text, and the spans that it has, each as often as it has it."""
    kinds = chance.sample(sorted(SPANS), 2)
    spans: list[str] = []

    def span(_: re.Match[str]) -> str:
        spans.append(chance.choice(SPANS[chance.choice(kinds)]))
        return spans[-1]

    text = re.sub("@", span, chance.choice(TEMPLATES))
    return text, spans + re.findall(r"</?[bi]>", text)
