"""Word links: which source token each target token translates.

Dimension key:
    B: sentences    S: source tokens    T: target tokens
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.lexicon import Direction, Lexicon, diagonal_prior
from ferryman_training.parallel_tokens import Block, Ids

Links: TypeAlias = npt.NDArray[np.bool_]
"""True where two tokens are linked, (B, S, T)."""


@dataclass(frozen=True, slots=True)
class DirectedLinks:
    """The likeliest links of each direction by itself."""

    to_target: Links
    """Every target token has at most one source token: the one that generates it."""
    to_source: Links
    """Every source token has at most one target token."""

    @property
    def intersection(self) -> Links:
        """The links of both: few are wrong, many are missing."""
        links: Links = np.logical_and(self.to_target, self.to_source)
        return links

    def grown(self) -> Links:
        """Return the intersection grown by its neighbours: grow-diag.

        Koehn et al. 2005, https://aclanthology.org/2005.iwslt-1.8, section 2: links of either
        direction join, as long as there are any, if they touch a link, diagonally too, and bring
        in a token that had none.
        """
        linked = self.intersection
        either = np.logical_or(self.to_target, self.to_source)
        for n in range(len(linked)):
            _grow(linked[n], either[n])
        return linked


@dataclass(frozen=True, slots=True)
class WordLinker:
    """Links the tokens of sentence pairs by a lexicon."""

    lexicon: Lexicon
    tension: float
    """Of the prior; the one that the lexicon was learnt with."""

    def link(self, source: Ids, target: Ids) -> DirectedLinks:
        """Link every token to the likeliest of the other side, unless none is likelier still.

        Args:
            source: Token ids, (B, S). Padding, start and end are linked to nothing.
            target: Token ids, (B, T).
        """
        lengths = _lengths(source), _lengths(target)
        block = Block(source, target)
        index = self.lexicon.pairs.index(source, target)
        to_target, to_source = (
            self._likeliest(direction, index, block, lengths)
            for direction in (self.lexicon.to_target, self.lexicon.to_source)
        )
        return DirectedLinks(to_target, to_source)

    def _likeliest(
        self,
        direction: Direction,
        index: npt.NDArray[np.int64],
        block: Block,
        lengths: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    ) -> Links:
        """Return the links of one direction; of equally likely ones the first."""
        given = direction.given
        shape = block.source.shape[1], block.target.shape[1]
        prior = diagonal_prior(*lengths, shape=shape, given=given, tension=self.tension)
        joint, null = direction.joint(index, block, prior)
        best = np.expand_dims(joint.argmax(axis=given), given)
        links = np.zeros(joint.shape, dtype=bool)
        likelier = np.take_along_axis(joint, best, axis=given) > np.expand_dims(null, given)
        np.put_along_axis(links, best, likelier, axis=given)
        return links


def _lengths(ids: Ids) -> npt.NDArray[np.int64]:
    """Return the tokens of each row that may be linked, all of which come first, (B,)."""
    tokens = ~np.isin(ids, (PAD, BOS, EOS))
    lengths: npt.NDArray[np.int64] = tokens.sum(axis=1, dtype=np.int64)
    return lengths


def _grow(links: Links, candidates: Links) -> None:
    """Let the links of one sentence pair grow, in place and in the paper's order; (S, T) both."""
    sources, targets = (np.logical_or.reduce(links, axis=axis) for axis in (1, 0))
    waiting = {(int(i), int(j)) for i, j in zip(*np.nonzero(candidates & ~links), strict=True)}
    before = -1
    while before != len(waiting):
        before = len(waiting)
        for i, j in np.ndindex(links.shape):
            if not links[i, j]:
                continue
            for place in _neighbours(i, j):
                if place in waiting and not (sources[place[0]] and targets[place[1]]):
                    waiting.remove(place)
                    links[place] = sources[place[0]] = targets[place[1]] = True


def _neighbours(i: int, j: int) -> list[tuple[int, int]]:
    """Return the places around one, those beside it first, as the paper orders them."""
    beside = [(i - 1, j), (i, j - 1), (i + 1, j), (i, j + 1)]
    return [*beside, (i - 1, j - 1), (i - 1, j + 1), (i + 1, j - 1), (i + 1, j + 1)]
