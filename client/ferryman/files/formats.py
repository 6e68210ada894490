"""Which format a file has, by its name or as the caller says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ferryman.documents.document import DocumentFormat
from ferryman.files.compression import plain_name
from ferryman.files.errors import InputFileError
from ferryman.files.json_lines import JsonFormat
from ferryman.files.text_lines import LineFormat, TableFormat
from ferryman.files.units import Format

BY_SUFFIX = {
    ".txt": "txt",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".srt": "srt",
    ".vtt": "vtt",
    ".po": "po",
    ".pot": "po",
    ".xliff": "xliff",
    ".xlf": "xliff",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "md",
    ".markdown": "md",
    ".docx": "docx",
}
"""Name of the format of files whose names end so."""

_DOCUMENTS = {
    "srt": "ferryman.documents.subtitles:Subtitles",
    "vtt": "ferryman.documents.subtitles:Subtitles",
    "po": "ferryman.documents.gettext:Catalogue",
    "xliff": "ferryman.documents.xliff:Xliff",
    "html": "ferryman.documents.html_pages:HtmlPage",
    "md": "ferryman.documents.markdown:Markdown",
    "docx": "ferryman.documents.word:WordDocument",
}
"""Where the kinds of documents are, each with libraries of its own that are loaded when needed."""

NAMES = tuple(dict.fromkeys(BY_SUFFIX.values()))
"""Every format there is."""


def format_of(
    source: Path, name: str | None = None, field: str | None = None, into: str | None = None
) -> Format:
    """Return the format of a file.

    Args:
        source: The file.
        name: One of `NAMES`; None: what the file's suffix says.
        field: What of each line to translate, in a format that has fields.
        into: Where the translation goes, in such a format.

    Raises:
        InputFileError: The suffix says nothing.
        ValueError: The format has no such fields.
    """
    name = name or BY_SUFFIX.get(plain_name(source).suffix.lower())
    match name:
        case "tsv":
            return TableFormat(field or "1", into)
        case "jsonl":
            return JsonFormat(field or "text", into)
        case "txt":
            _refuse_fields(field, into)
            return LineFormat()
        case str() if name in _DOCUMENTS:
            _refuse_fields(field, into)
            module, _, kind = _DOCUMENTS[name].partition(":")
            return DocumentFormat(name, getattr(import_module(module), kind))
    raise InputFileError(
        f"{source}: its name does not say what it is; say --format {'|'.join(NAMES)}"
    )


def _refuse_fields(*fields: str | None) -> None:
    if any(fields):
        raise ValueError("this format has no fields: --field and --into are for tsv and jsonl")
