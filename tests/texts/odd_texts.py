"""Texts that nobody means to translate, and that everybody sends sooner or later."""

from __future__ import annotations

import random

FIXED = [
    "", " ", "\n", "\t\r\n \u3000", "a", ".", "?", "\x00", "a\x00b", "\ufeff", "\u200b", "\u00ad",
    "A" * 5000, "." * 5000, "0" * 5000, "é" * 5000, "\u0301" * 500, "e\u0301" * 500, "ab " * 1500,
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "\U0001f1eb\U0001f1f7" * 50,
    "\u202eright to left\u202c", "שלום עולם", "مرحبا بالعالم", "你好，世界。", "こんにちは",
    "Привет, мир!",
    "Bonjour, le fichier n'existe pas.", "Das ist kein englischer Satz.", "</s>", "<s> Hello </s>",
    "<pad><unk><s></s>", "\u2581Hello\u2581world", "<0x41><0xE9>", "\ue000\ue001", "\ue020x\ue030",
    "%", "%%", "{", "}}", "{{{{", "${", "<", "<b", "&", "&amp;&amp;", "`", "``", "http://",
    "@", "/",
    "no " * 200, "ha" * 400, "1 2 3 4 5 6 7 8 9 " * 30, "word" * 300, "-" * 70, "* * *", "=-=-=-=-",
    "a" + "\u0300\u0301\u0302" * 40, "\ud7ff\ue0ff\uffff", "\U0010ffff" * 20,
    "Z\u0351\u036b\u0343a",
]  # fmt: skip
_PIECES = [
    "word ",
    "the ",
    "\n",
    "\x00",
    "\ue010",
    "</s>",
    "é",
    "你",
    "\u0301",
    "😀",
    "%s",
    ".",
    "!? ",
]
_PIECES += ["AAAA", " ", "\u202e", "<unk>", "{x}", "12 ", "https://a.b ", "\ufffd", "ש", "'", '"']


def odd_texts(chance: random.Random, count: int) -> list[str]:
    """Return so many odd texts: those that are known, and others made of what is odd."""
    made = [
        "".join(chance.choices(_PIECES, k=chance.randint(1, 60)))
        for _ in range(max(0, count - len(FIXED)))
    ]
    return (chance.sample(FIXED, min(count, len(FIXED))) + made)[:count]
