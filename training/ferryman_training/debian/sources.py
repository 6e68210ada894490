"""Which packages have text in two languages, where in them it is, and how it is read."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.alignment import pairs_of, split
from ferryman_training.debian.block import Block
from ferryman_training.debian.catalogues import gettext_pairs, json_pairs
from ferryman_training.debian.manuals import manual_blocks
from ferryman_training.debian.pages import html_blocks, xml_blocks

Reader: TypeAlias = Callable[[bytes, bytes, str], Iterator[SentencePair]]
"""Makes pairs of the English content, the translated content and the language; a catalogue holds
both languages, so its English content is empty."""

LOCALES: Final = {"fr": "fr_FR", "de": "de_DE", "es": "es_ES", "it": "it_IT"}
"""The languages that there is enough text in, each with the locale of its country."""

DESCRIPTIONS: Final = "ddtp"
"""The source that is no package: descriptions, from the mirror's own indexes."""
DESCRIPTIONS_LICENCE: Final = (
    "translations of the Debian Description Translation Project; the index names no licence"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Text of one kind, from one or more packages.

    In `packages`, `english` and `translated`, LANG stands for the language, LOCALE for its locale
    and TAG for the same with a hyphen.
    """

    name: str
    packages: tuple[str, ...]
    licence: str
    """Of the text, in short; the packages' copyright files have it in full."""
    english: str | None
    """Of the path of an English file; the group ``document`` is the same in its translation. None
    where the translated file has both languages."""
    translated: str
    """Of the path of a translated file, in the same way."""
    read: Reader
    interface: bool = False
    """Whether these are messages of programs: only long ones are taken, and none to test on."""

    def packages_for(self, language: str) -> list[str]:
        """Return the packages of a language."""
        return [_filled(package, language) for package in self.packages]

    def patterns(self, language: str) -> tuple[re.Pattern[str] | None, re.Pattern[str]]:
        """Return what the paths of English and of translated files match."""
        english = re.compile(_filled(self.english, language)) if self.english else None
        return english, re.compile(_filled(self.translated, language))


def _filled(text: str, language: str) -> str:
    locale = LOCALES[language]
    tag = locale.replace("_", "-")
    return text.replace("LANG", language).replace("LOCALE", locale).replace("TAG", tag)


def _documents(blocks: Callable[[bytes], Sequence[Block]]) -> Reader:
    """Return a reader of documents that are aligned block by block."""

    def read(english: bytes, translated: bytes, language: str) -> Iterator[SentencePair]:
        return pairs_of(blocks(english), blocks(translated), language)

    return read


def _compressed_manual(content: bytes) -> list[Block]:
    try:
        return manual_blocks(gzip.decompress(content))
    except (OSError, EOFError):
        return []


def _catalogue(_: bytes, translated: bytes, language: str) -> Iterator[SentencePair]:
    return _sentences(gettext_pairs(translated), language)


def _json(english: bytes, translated: bytes, language: str) -> Iterator[SentencePair]:
    return _sentences(json_pairs(english, translated), language)


def _sentences(pairs: Iterator[SentencePair], language: str) -> Iterator[SentencePair]:
    for pair in pairs:
        yield from split(pair, language)


def _guide(
    name: str, packages: tuple[str, ...], english: str, translated: str, licence: str
) -> Source:
    """Return a source of HTML pages."""
    return Source(
        name=name,
        packages=packages,
        licence=licence,
        english=english,
        translated=translated,
        read=_documents(html_blocks),
    )


_WESNOTH: Final = (
    "data", "core", "httt", "did", "dm", "dw", "ei", "l", "low", "nr", "sof", "sota",
    "sotbe", "thot", "trow", "tsg", "ttb", "utbs",
)  # fmt: skip

SOURCES: Final = (
    Source(
        name="libreoffice-help",
        packages=("libreoffice-help-en-us", "libreoffice-help-LANG"),
        licence="MPL-2.0",
        english=r"usr/share/libreoffice/help/en-US/text/(?P<document>.*\.html)",
        translated=r"usr/share/libreoffice/help/LANG/text/(?P<document>.*\.html)",
        read=_documents(html_blocks),
    ),
    Source(
        name="manpages",
        packages=(
            *("manpages", "manpages-dev", "manpages-LANG", "manpages-LANG-dev"),
            *("coreutils", "util-linux", "mount", "bsdutils", "fdisk", "e2fsprogs", "systemd"),
            *(
                "systemd-container",
                "procps",
                "psmisc",
                "tar",
                "grep",
                "findutils",
                "diffutils",
                "sed",
            ),
            *(
                "apt",
                "dpkg",
                "dpkg-dev",
                "debhelper",
                "devscripts",
                "wget",
                "passwd",
                "login",
                "man-db",
            ),
        ),
        licence="GPL-3+ (manpages-l10n), and a licence for each page",
        english=r"usr/share/man/man\d/(?P<document>[^/]+)\.gz",
        translated=r"usr/share/man/LANG/man\d/(?P<document>[^/]+)\.gz",
        read=_documents(_compressed_manual),
    ),
    Source(
        name="gnome-help",
        packages=(
            *("gnome-user-docs", "mate-user-guide", "orca", "evolution-common", "gedit-common"),
            *("caja-common", "file-roller", "evince-common", "eog", "yelp"),
        ),
        licence="CC-BY-SA-3.0, GFDL-1.1+",
        english=r"usr/share/help/C/(?P<document>.*\.(page|docbook|xml))",
        translated=r"usr/share/help/LANG/(?P<document>.*\.(page|docbook|xml))",
        read=_documents(xml_blocks),
    ),
    _guide(
        "debian-handbook",
        ("debian-handbook",),
        r"usr/share/doc/debian-handbook/html/en-US/(?P<document>.*\.html)",
        r"usr/share/doc/debian-handbook/html/TAG/(?P<document>.*\.html)",
        "GPL-2+ or CC-BY-SA-3.0",
    ),
    _guide(
        "debian-reference",
        ("debian-reference-en", "debian-reference-LANG"),
        r"usr/share/debian-reference/(?P<document>.*)\.en\.html",
        r"usr/share/debian-reference/(?P<document>.*)\.LANG\.html",
        "GPL-2+",
    ),
    _guide(
        "installation-guide",
        ("installation-guide-amd64",),
        r"usr/share/doc/installation-guide-amd64/en/(?P<document>.*\.html)",
        r"usr/share/doc/installation-guide-amd64/LANG/(?P<document>.*\.html)",
        "GPL-2",
    ),
    _guide(
        "developers-reference",
        ("developers-reference", "developers-reference-LANG"),
        r"usr/share/developers-reference/(?P<document>[^/]*\.html)",
        r"usr/share/developers-reference/LANG/(?P<document>[^/]*\.html)",
        "GPL-2+",
    ),
    _guide(
        "aptitude-doc",
        ("aptitude-doc-en", "aptitude-doc-LANG"),
        r"usr/share/doc/aptitude/html/en/(?P<document>[^/]*\.html)",
        r"usr/share/doc/aptitude/html/LANG/(?P<document>[^/]*\.html)",
        "GPL-2+",
    ),
    _guide(
        "maint-guide",
        ("maint-guide", "maint-guide-LANG"),
        r"usr/share/doc/maint-guide/html/(?P<document>[^/]*)\.en\.html",
        r"usr/share/doc/maint-guide-LANG/html/(?P<document>[^/]*)\.LANG\.html",
        "GPL-2+",
    ),
    _guide(
        "debian-faq",
        ("debian-faq", "debian-faq-LANG"),
        r"usr/share/doc/debian/FAQ/(?P<document>[^/.]*)(\.en)?\.html",
        r"usr/share/doc/debian/FAQ/LANG/(?P<document>[^/.]*)\.LANG\.html",
        "GPL-2+",
    ),
    _guide(
        "debian-edu-doc",
        ("debian-edu-doc-en", "debian-edu-doc-LANG"),
        r"usr/share/doc/debian-edu-doc-en/(?P<document>[^/]*\.html)",
        r"usr/share/doc/debian-edu-doc-LANG/(?P<document>[^/]*\.html)",
        "GPL-2+",
    ),
    _guide(
        "gimp-help",
        ("gimp-help-en", "gimp-help-LANG"),
        r"usr/share/gimp/2\.0/help/en/(?P<document>[^/]*\.html)",
        r"usr/share/gimp/2\.0/help/LANG/(?P<document>[^/]*\.html)",
        "GFDL-1.2+",
    ),
    Source(
        name="wesnoth",
        packages=tuple(f"wesnoth-1.16-{campaign}" for campaign in _WESNOTH),
        licence="GPL-2+",
        english=None,
        translated=r"usr/share/games/wesnoth/1\.16/locale/LANG/LC_MESSAGES/(?P<document>.*)\.mo",
        read=_catalogue,
    ),
    Source(
        name="gettext-ui",
        packages=(
            *("libreoffice-l10n-LANG", "evolution-common", "freeciv-data", "coreutils", "dpkg"),
            *("apt", "bash", "gedit-common", "nautilus-data", "gnome-control-center-data"),
        ),
        licence="MPL-2.0, GPL, LGPL",
        english=None,
        translated=r"usr/(share/locale|lib/libreoffice/program/resource)/LANG/LC_MESSAGES/"
        r"(?P<document>.*)\.mo",
        read=_catalogue,
        interface=True,
    ),
    Source(
        name="mediawiki",
        packages=("mediawiki",),
        licence="GPL-2+",
        english=r"(?P<document>usr/share/mediawiki/.*/i18n/(\w+/)?)en\.json",
        translated=r"(?P<document>usr/share/mediawiki/.*/i18n/(\w+/)?)LANG\.json",
        read=_json,
        interface=True,
    ),
    Source(
        name="wordpress",
        packages=("wordpress-l10n",),
        licence="GPL-2+",
        english=None,
        translated=r"usr/share/wordpress/wp-content/languages/(?P<document>.*?-?)LOCALE\.mo",
        read=_catalogue,
        interface=True,
    ),
)
"""All sources, those of whole sentences first."""

NAMES: Final = (DESCRIPTIONS, *(source.name for source in SOURCES))
"""What ``--sources`` may name."""
