"""Terms of a glossary through the default model."""

from __future__ import annotations

ENTRIES = [
    {"source": "network", "target": "maillage"},
    {"source": "press", "target": "enfoncer"},
    {"source": "key", "target": "touche"},
]


def test_terms_are_in_the_translation_and_the_answer_says_which(translate):
    sources = ["The network is not available.", "Press any key to continue.", "Good morning."]
    config = {"entries": ENTRIES, "ignore_case": True}
    network, key, none = translate(sources, glossary_config=config)
    assert "maillage" in network.hypotheses[0].text
    assert "enfoncer" in key.hypotheses[0].text
    assert "touche" in key.hypotheses[0].text
    assert [(m.term.source, m.is_applied) for m in network.terms] == [("network", True)]
    assert [(m.term.source, m.is_applied) for m in key.terms] == [("press", True), ("key", True)]
    assert none.terms == ()
