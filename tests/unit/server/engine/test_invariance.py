"""The certificate of batch invariance: it holds for the toys, and finds what does not hold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from toy_model import ARCHITECTURES, ToyRuntime

from ferryman_server.engine.invariance import certify, generated_sources, searches_for

SEED = 3


def sources_for(runtime):
    return generated_sources(runtime, range(4, runtime.vocabulary_size), seed=SEED)[:10]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_runtime_that_keeps_rows_apart_is_certified(architecture):
    runtime = ToyRuntime(architecture=architecture)
    findings = list(certify(runtime, sources_for(runtime), seed=SEED))
    assert all(finding.holds for finding in findings)
    assert all(finding.sentences == 10 for finding in findings)
    assert len(findings) == 3 * len(searches_for(runtime))


class Gossip(ToyRuntime):
    """A model whose numbers depend on how many sources there are, as those of a kernel may."""

    def decoder(self, **wanted):
        decoder = super().decoder(**wanted)
        advance = decoder._advance

        def advance_by_company():
            log_probs = advance()
            return log_probs * np.float32(1 + 2.0**-20 * (len(log_probs) > 3))

        decoder._advance = advance_by_company
        return decoder


def test_the_last_bit_of_a_log_probability_is_noticed():
    runtime = Gossip()
    findings = list(certify(runtime, sources_for(runtime), seed=SEED))
    by_company = Counter(finding.company for finding in findings if not finding.holds)
    assert by_company["all of one kind at once"] == len(searches_for(runtime))
    assert by_company["joining among all kinds"] > 0
    for finding in findings:
        if not finding.holds:
            assert 0 < finding.largest_difference < 1e-3
            assert finding.example in sources_for(runtime)


def test_a_model_without_the_full_tail_is_certified_for_what_it_does():
    runtime = ToyRuntime()
    every = searches_for(runtime)
    runtime.has_full_tail = False
    assert {"greedy", "beam 4"} < set(searches_for(runtime)) < set(every)


def test_a_model_without_a_shortlist_is_certified_without_one():
    runtime = ToyRuntime()
    runtime.has_shortlist = False
    assert not [name for name in searches_for(runtime) if "shortlist" in name]


def test_generated_sources_are_as_long_as_the_model_reads():
    runtime = ToyRuntime()
    runtime.max_source_tokens = 9
    lengths = [len(source) for source in generated_sources(runtime, range(4, 16), seed=SEED)]
    assert (min(lengths), max(lengths)) == (1, 9)
