"""A bundle's shortlist: which tokens a source calls for, and the matrix that has their columns.

Dimension key:
    V: vocabulary    D: width
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Self

import numpy as np

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.manifest import MANIFEST, Tokens
from ferryman_bundle.weights import Array
from ferryman_server.engine.candidate_lists import CandidateLists
from ferryman_server.engine.output_columns import STEP, OutputMatrix
from ferryman_server.engine.search import Ints

GRAPH: Final = "step_shortlist"
VALUES: Final = "shortlist.values"
SCALES: Final = "shortlist.scales"
BIAS: Final = "shortlist.bias"
"""Inputs of the graph that columns go into."""


class Shortlist:
    """Shared by all decoders of a runtime.

    Args:
        lexicon: The tokens that each source token calls for.
        tokens: Those with a meaning of their own.
        matrix: The output matrix where the graph is brought columns of it; None where it has it.
    """

    def __init__(
        self, lexicon: LexicalShortlist, tokens: Tokens, matrix: OutputMatrix | None
    ) -> None:
        self._lexicon = lexicon
        self._offsets: list[int] = lexicon.offsets.tolist()
        self._matrix = matrix
        # One flag for each token: a union of lists is then made without any sorting.
        self._always = np.zeros(tokens.vocabulary_size, np.bool_)
        self._always[[*lexicon.always, tokens.eos]] = True
        self._never = [tokens.pad, *tokens.never_generated]
        may_come = np.setdiff1d(np.arange(tokens.vocabulary_size), self._never)
        self._filling = may_come[:STEP]

    @classmethod
    def of(cls, bundle: Bundle, variant: str) -> Self | None:
        """Return the shortlist of a bundle, or None where it, or the variant, has none.

        Raises:
            BundleError: It is none of this vocabulary, or the weights are not what the manifest
                says.
        """
        lexicon = bundle.shortlist()
        if lexicon is None or GRAPH not in bundle.manifest.variants[variant].graphs:
            return None
        tokens = bundle.manifest.tokens
        columns = bundle.columns(GRAPH, variant)
        matrix = None if not columns else _output_matrix(columns, tokens.vocabulary_size)
        return cls(lexicon, tokens, matrix)

    def candidates(self, source: Sequence[int]) -> Ints:
        """Return the tokens that a translation may consist of; see `Runtime.shortlisted`.

        A step computes a multiple of `STEP` of them, and a search needs several to choose from: a
        list that is shorter than one such step is filled up.

        Args:
            source: Token ids.
        """
        offsets, targets = self._offsets, self._lexicon.targets
        listed = self._always.copy()
        own = [targets[offsets[token] : offsets[token + 1]] for token in set(source)]
        listed[np.concatenate(own)] = True
        listed[self._never] = False
        missing = STEP - int(np.count_nonzero(listed))
        if missing > 0:
            listed[self._filling[~listed[self._filling]][:missing]] = True
        return np.flatnonzero(listed)

    def lists(self, *, width: int, max_sources: int) -> CandidateLists:
        """Return the lists of a running batch that is empty."""
        return CandidateLists(self._matrix, width=width, max_sources=max_sources)


def _output_matrix(columns: Mapping[str, Array], vocabulary_size: int) -> OutputMatrix:
    """Return the matrix that a graph is given columns of.

    Raises:
        BundleError: The tensors are not those of an output layer in bytes.
    """
    scales = columns.get(SCALES, np.zeros(0, np.float32))
    bias = columns.get(BIAS, np.zeros_like(scales))
    values = columns.get(VALUES, np.zeros((0, 0), np.int8))
    fits = values.ndim == 2 and len(values) == vocabulary_size and values.dtype == np.int8
    if not fits or not scales.shape == bias.shape == (vocabulary_size,):
        raise BundleError(
            f"{MANIFEST}: what the graph {GRAPH} is given columns of is no output layer in bytes; "
            "export the bundle again"
        )
    return OutputMatrix(values=values, scales=scales, bias=bias)
