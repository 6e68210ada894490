"""Learning a lexical shortlist: from translation probabilities to lists of target pieces.

Dimension key:
    V: vocabulary    N: piece pairs
"""

from __future__ import annotations

import numpy as np

from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.tokenizer import BOS, EOS, PAD, UNKNOWN
from ferryman_training.lexicon import Lexicon
from ferryman_training.parallel_tokens import ParallelTokens


def learn_shortlist(
    lexicon: Lexicon, corpus: ParallelTokens, *, best: int, frequent: int
) -> LexicalShortlist:
    """List for every source piece its likeliest translations, and what every target may need.

    A source piece always calls for itself too: names and numbers are copied.

    Args:
        lexicon: Of the corpus; not pruned.
        corpus: Says how frequent target pieces are.
        best: Likeliest target pieces of each source piece; fewer where fewer were ever seen.
        frequent: Target pieces that are always there, the most frequent ones, beside the end.
    """
    size = lexicon.pairs.vocabulary_size
    counts = np.bincount(corpus.target_ids, minlength=size)
    counts[[PAD, UNKNOWN, BOS, EOS]] = 0
    order = np.argsort(-counts, kind="stable")[:frequent]
    always = np.union1d(order[counts[order] > 0], [EOS])

    sources, targets = lexicon.pairs.sources, lexicon.pairs.targets
    ranked = np.lexsort((targets, -lexicon.to_target.table[:-1], sources))
    places = np.arange(len(ranked)) - lexicon.pairs.offsets[sources[ranked]]
    kept = ranked[places < best]
    every = np.arange(size)
    keys = np.unique(
        np.concatenate([sources[kept].astype(np.int64) * size + targets[kept], every * (size + 1)])
    )
    keys = keys[~np.isin(keys % size, always)]
    lengths = np.bincount(keys // size, minlength=size)
    return LexicalShortlist(
        always=always.astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        targets=(keys % size).astype(np.int32),
    )


def coverage(shortlist: LexicalShortlist, corpus: ParallelTokens) -> float:
    """Return the share of the target tokens of a corpus, ends included, that are in their lists."""
    inside, total = 0, 0
    for block in corpus.blocks():
        for source, target in zip(block.source, block.target, strict=True):
            candidates = shortlist.candidates(source.tolist())
            inside += int(np.isin(target, candidates).sum()) + int(EOS in candidates)
            total += len(target) + 1
    return inside / total
