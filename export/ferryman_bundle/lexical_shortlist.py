"""A lexical shortlist: which target pieces a translation may need, judged by its source's pieces.

Dimension key:
    V: vocabulary    N: (source piece, target piece) entries    A: pieces that are always there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ferryman_bundle.errors import BundleError

Ids: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LexicalShortlist:
    """For every source piece the target pieces that it calls for, beside those always there."""

    always: Ids
    """Ascending, (A,)."""
    offsets: Ids
    """Source piece s calls for ``targets[offsets[s]:offsets[s + 1]]``, (V + 1,)."""
    targets: Ids
    """Ascending for each source piece, (N,)."""

    def candidates(self, source: Sequence[int]) -> Ids:
        """Return the target pieces that a translation may consist of.

        Args:
            source: Token ids of one source; their order and number do not matter.

        Returns:
            Ascending, each once; of one source alone, whoever is in its batch.
        """
        parts = [self.targets[self.offsets[s] : self.offsets[s + 1]] for s in set(source)]
        return np.unique(np.concatenate([self.always, *parts]))

    def pack(self) -> bytes:
        """Return the bytes of a file; equal lists give equal bytes."""
        return safetensors.numpy.save(
            {"always": self.always, "offsets": self.offsets, "targets": self.targets}
        )

    @classmethod
    def unpack(cls, content: bytes, *, vocabulary_size: int, file: str) -> LexicalShortlist:
        """Read what `pack` wrote.

        Args:
            content: Of the file.
            vocabulary_size: V.
            file: What error messages call the file.

        Raises:
            BundleError: It is none, or not of this vocabulary.
        """
        try:
            tensors = safetensors.numpy.load(content)
            found = cls(tensors["always"], tensors["offsets"], tensors["targets"])
        # safetensors.numpy meets a data type it has no name for with a KeyError too.
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise BundleError(f"{file}: is no shortlist ({error}); export again") from error
        fault = found._fault(vocabulary_size)
        if fault is not None or len(tensors) != 3:
            raise BundleError(f"{file}: {fault or 'holds more than a shortlist'}; export again")
        return found

    def _fault(self, vocabulary_size: int) -> str | None:
        """Return why these arrays are no shortlist of a vocabulary; None if they are."""
        arrays = (self.always, self.offsets, self.targets)
        if any(array.dtype != np.int32 or array.ndim != 1 for array in arrays):
            return "its arrays must be rows of int32"
        if len(self.offsets) != vocabulary_size + 1:
            return f"is for {len(self.offsets) - 1} pieces, but there are {vocabulary_size}"
        ends = self.offsets[0] == 0 and self.offsets[-1] == len(self.targets)
        if not ends or np.any(np.diff(self.offsets) < 0):
            return "its offsets do not divide its targets"
        ids = np.concatenate([self.always, self.targets])
        if len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary_size:
            return f"names pieces outside 0 to {vocabulary_size - 1}"
        return None
