"""Cleaning: from text as it was found to pairs that are fit to learn from."""

from __future__ import annotations

import re
from typing import Final

from ferryman_training.corpus import SentencePair
from ferryman_training.corpus_config import FilterConfig
from ferryman_training.debian.block import one_line
from ferryman_training.filters import find_fault

_SAME: Final = str.maketrans(
    dict.fromkeys("’ʼ", "'") | dict.fromkeys("“”„‟", '"') | dict.fromkeys("\u00ad\u200b\ufeff")
)
"""Characters that are written in several ways, to one of them."""

_PLACEHOLDER: Final = re.compile(
    r"%(?:\d+\$)?[-+ #0]*\d*(?:\.\d+)?(?:hh?|ll?|z)?[sdifgxXucp@]\b|%%|%\w+%|%\(\w+\)|"
    r"\$\w|\$\(|\{\{|\{[\w.]*\}|\[\[|</?[a-zA-Z][^>]*>|&\w+;|\\[nt\"]|"
    r"https?:|ftp:|www\.|[\ue000-\uf8ff]"
)
"""What stands for something else or is no text: formats, variables, tags, addresses."""
_LETTERS: Final = re.compile(r"[^\W\d_]")
_EMPHASIS: Final = re.compile(r"^[\s•*·–—-]+(?=\w)")
"""The mark of a list item."""

_SHAPE: Final = FilterConfig(
    blank=True, min_words=3, max_words=80, max_ratio=3.0, identical=True, numbers=True
)
_INTERFACE_WORDS: Final = 5
"""Least words of a message: what labels mean depends on where they are."""
_UNTRANSLATED: Final = 0.75
"""Greatest share of the target's words that the source has too."""

STOP_WORDS: Final = {
    "en": "the of to and a in is for that this with it are be on as by or not can you from if",
    "fr": "le la les de des du et un une est pour dans que qui ce cette avec sur par pas vous ou",
    "de": "der die das und ist nicht ein eine zu den von mit für auf wird werden sie im dem kann",
    "es": "el la los las de del y un una es para en que se con por no su este esta si puede",
    "it": "il lo la i gli le di del della e un una è per in che non con si da sono questo può",
}
"""The commonest words of each language, by which it is known."""


def cleaned(pair: SentencePair) -> SentencePair:
    """Return a pair on one line a side, with one way to write what is written in several."""
    source, target = (
        _EMPHASIS.sub("", one_line(text.translate(_SAME))) for text in (pair.source, pair.target)
    )
    return SentencePair(source, target)


def fit(pair: SentencePair, language: str, *, interface: bool) -> bool:
    """Tell whether a cleaned pair is fit to learn from.

    Args:
        pair: English, and another language.
        language: The ISO 639-1 code of that.
        interface: Whether it is a message of a program.
    """
    if find_fault(pair, _SHAPE) is not None:
        return False
    if interface and len(pair.source.split()) < _INTERFACE_WORDS:
        return False
    sides = (pair.source, pair.target)
    if any(_PLACEHOLDER.search(side) or _mostly_signs(side) for side in sides):
        return False
    return not _untranslated(pair) and _in_their_languages(pair, language)


def key(text: str) -> str:
    """Return a text without case, digits and punctuation, to compare it with others.

    >>> key("Press F1 to go on!") == key("press F2, to go on")
    True
    """
    return " ".join(re.findall(r"[^\W\d_]+", text.casefold()))


def _mostly_signs(text: str) -> bool:
    return 2 * len(_LETTERS.findall(text)) < len(text)


def _untranslated(pair: SentencePair) -> bool:
    source, target = set(key(pair.source).split()), key(pair.target).split()
    return sum(word in source for word in target) > _UNTRANSLATED * len(target)


def _in_their_languages(pair: SentencePair, language: str) -> bool:
    """Tell whether neither side has more common words of the other language than of its own."""
    own, other = set(STOP_WORDS["en"].split()), set(STOP_WORDS[language].split())

    def more(text: str, these: set[str], than: set[str]) -> bool:
        words = set(key(text).split())
        return len(words & (these - than)) > len(words & (than - these))

    return not more(pair.source, other, own) and not more(pair.target, own, other)
