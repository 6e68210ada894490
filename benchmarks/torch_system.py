"""PyTorch as an engine: greedy decoding with caches, as one would write it, eager or compiled.

Dimension key:
    B: sentences of a call    V: vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from benchmarks.loads import Ids, Load
from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import pad
from ferryman_training.decoding import NEVER_GENERATED
from ferryman_training.seq2seq import Seq2Seq

_FORBIDDEN: Final = [*NEVER_GENERATED, EOS]


class Torch:
    """A model in torch. Targets have a given length, so that nothing is read until they are done.

    Args:
        model: In evaluation mode, with the weights of the bundle.
        device: Where to compute.
        dtype: What to compute in.
        compiled: Whether the step goes through `torch.compile`, once for all lengths.
    """

    def __init__(
        self, model: Seq2Seq, device: str, dtype: torch.dtype, *, compiled: bool = False
    ) -> None:
        self.name = "PyTorch compiled" if compiled else "PyTorch eager"
        self._model = model.to(device=device, dtype=dtype)
        self._device = device
        self._step = torch.compile(model.step, dynamic=True) if compiled else model.step

    @torch.inference_mode()
    def translate(self, load: Load) -> Sequence[object]:
        """Translate each call as one batch."""
        assert load.target_tokens is not None, "only targets of a given length"
        assert load.beam_size == 1, "only greedily"
        return [
            tuple(row)
            for call in load.calls
            for row in self._decode([load.sources[i] for i in call], load.target_tokens).tolist()
        ]

    def ids(self, results: Sequence[object]) -> list[Ids]:
        """They are ids already."""
        return [ids for ids in results if isinstance(ids, tuple)]

    def _decode(self, sources: Sequence[Ids], tokens: int) -> torch.Tensor:
        """Return the tokens of each target, (B, tokens)."""
        memory = self._model.encode(pad([(*s, EOS) for s in sources]).to(self._device))
        state = self._model.initial_state(memory)
        ids = torch.full((len(sources),), BOS, device=self._device)
        chosen = []
        for _ in range(tokens):
            logits, state = self._step(ids, memory, state)  # (B, V)
            logits[:, _FORBIDDEN] = float("-inf")
            ids = logits.argmax(dim=-1)
            chosen.append(ids)
        return torch.stack(chosen, dim=1)
