"""`ferryman translate --html`: a translation as one page, which needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ferryman.results import Alignment, Hypothesis, Span, Translation

_STYLE = """
body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: left;
border-bottom: 1px solid #8884 } td.number { text-align: right; font-variant-numeric: tabular-nums }
.text { white-space: pre-wrap } .note { color: #a40 }
"""


def report_of(translation: Translation) -> str:
    """Return the page: the source, every hypothesis with its scores, and its word links."""
    languages = f"{translation.source_language} → {translation.target_language}"
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(languages)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(languages)}</h1><p>{escape(translation.model)}</p>",
        f'<h2>Source</h2><p class="text" lang="{escape(translation.source_language)}">'
        f"{escape(translation.source)}</p>",
        *(f'<p class="note">{escape(warning.message)}</p>' for warning in translation.warnings),
    ]
    for number, hypothesis in enumerate(translation.hypotheses, 1):
        parts += _hypothesis(number, hypothesis, translation)
    return "\n".join([*parts, "</body></html>", ""])


def _hypothesis(number: int, hypothesis: Hypothesis, translation: Translation) -> list[str]:
    figures = {
        "score": f"{hypothesis.score:.4f}",
        "log-probability": f"{hypothesis.log_prob:.4f}",
        "tokens": str(hypothesis.token_count),
        "ended by": hypothesis.finish_reason.value,
    }
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in figures.items())
    return [
        f"<h2>Hypothesis {number}</h2>",
        f'<p class="text" lang="{escape(translation.target_language)}">'
        f"{escape(hypothesis.text)}</p>",
        f"<table>{cells}</table>",
        *_links(hypothesis.alignments, translation.source, hypothesis.text),
    ]


def _links(alignments: Sequence[Alignment], source: str, target: str) -> list[str]:
    """Return a table of the words that belong together."""
    if not alignments:
        return []
    rows = [
        f"<tr><td>{_word(source, link.source)}</td><td>{_word(target, link.target)}</td>"
        f'<td class="number" style="background: rgb(70 130 180 / {link.weight:.2f})">'
        f"{link.weight:.2f}</td></tr>"
        for link in alignments
    ]
    head = "<tr><th>source</th><th>translation</th><th>weight</th></tr>"
    return [f"<table>{head}", *rows, "</table>"]


def _word(text: str, span: Span) -> str:
    return escape(text[span.start : span.end])
