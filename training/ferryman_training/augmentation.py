"""Placeholder augmentation: teaching a model to carry reserved pieces over.

In a share of the pairs, spans that stand on both sides exactly once (numbers, paths, options,
names) become a reserved character, the same on both sides; a part of them is put between a pair
of tags instead. The server later protects spans of a request with the same characters.
"""

from __future__ import annotations

import random
import re
from collections import Counter

from ferryman_bundle.tokenizer import CLOSING_TAGS, OPENING_TAGS, PLACEHOLDERS, RESERVED
from ferryman_training.corpus import SentencePair

_WORD = re.compile(r"[^\s,;:!?\"“”«»()\[\]]*[^\s,;:!?\"“”«»()\[\].]")
"""Up to punctuation and brackets; dots stay inside (``fstab.d``) but not at the end."""
_FOREIGN_RESERVED = re.compile(f"[{RESERVED[0]}-{RESERVED[-1]}]")
_SPAN_COUNTS = (1, 1, 2, 3)
"""How many spans of a pair are reserved, each entry equally likely."""
_TAG_SHARE = 0.3
_WHOLE_SENTENCE_SHARE = 0.1


def shared_spans(pair: SentencePair) -> list[str]:
    """Return the words that both sides hold exactly once, in the order of the source."""
    in_source = Counter(_WORD.findall(pair.source))
    in_target = Counter(_WORD.findall(pair.target))
    return [
        word
        for word, count in in_source.items()
        if count == 1 and in_target.get(word) == 1 and not _alike_by_chance(word)
    ]


def _alike_by_chance(word: str) -> bool:
    """Tell whether a word is short enough to be another word of the other language.

    As *a*, *on* and *son* are in English and French; *NFS* is the same in both.
    """
    acronym = len(word) > 1 and word.isupper()
    return len(word) <= 3 and word.isalpha() and not acronym


def augment(pair: SentencePair, chance: random.Random) -> SentencePair | None:
    """Return the pair with some of its shared spans reserved, or None where there are none.

    Args:
        pair: A pair; one that holds reserved characters of its own is left alone.
        chance: Decides which spans, and which characters stand for them.
    """
    if _FOREIGN_RESERVED.search(pair.source) or _FOREIGN_RESERVED.search(pair.target):
        return None
    if chance.random() < _WHOLE_SENTENCE_SHARE:
        tag = chance.randrange(len(OPENING_TAGS))
        opening, closing = OPENING_TAGS[tag], CLOSING_TAGS[tag]
        return SentencePair(opening + pair.source + closing, opening + pair.target + closing)
    spans = shared_spans(pair)
    if not spans:
        return None
    chosen = chance.sample(spans, min(len(spans), chance.choice(_SPAN_COUNTS)))
    placeholders = chance.sample(range(len(PLACEHOLDERS)), len(chosen))
    tags = chance.sample(range(len(OPENING_TAGS)), len(chosen))
    source, target = pair.source, pair.target
    for span, placeholder, tag in zip(chosen, placeholders, tags, strict=True):
        if chance.random() < _TAG_SHARE:
            new = OPENING_TAGS[tag] + span + CLOSING_TAGS[tag]
        else:
            new = PLACEHOLDERS[placeholder]
        source, target = _replace_word(source, span, new), _replace_word(target, span, new)
    return SentencePair(source, target)


def _replace_word(text: str, word: str, new: str) -> str:
    """Replace the one occurrence of a whole word; a longer word that contains it stays."""
    for match in _WORD.finditer(text):
        if match.group() == word:
            return text[: match.start()] + new + text[match.end() :]
    raise AssertionError(f"{word!r} is no word of {text!r}")
