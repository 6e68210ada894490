"""A checkpoint as a system to measure: decoded by the model in torch, without the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_quality.attention import AttentionMap
from ferryman_quality.errors import NoAttentionError, NoSystemError, SettingError
from ferryman_quality.settings import Device, Settings, require_length
from ferryman_quality.systems import Output, System
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.decoding import Decoded, decode_greedily
from ferryman_training.errors import TrainingError

_BATCH_SIZE: Final = 64


class CheckpointSystem(System):
    """A checkpoint on disk.

    Sources that are longer than what the model was trained on are cut.

    Args:
        directory: Of the checkpoint.

    Raises:
        NoSystemError: It cannot be read.
    """

    def __init__(self, directory: str) -> None:
        try:
            checkpoint = Checkpoint.load(Path(directory))
            self._model = checkpoint.model()
        except TrainingError as error:
            raise NoSystemError(str(error)) from error
        self._name = directory
        self._tokenizer = checkpoint.tokenizer
        self._max_tokens = checkpoint.config.corpus.max_tokens

    def translate(
        self, sources: Sequence[str], settings: Settings, on_line: Callable[[], None]
    ) -> Output:
        """Translate greedily, sentences of like length together; see `System.translate`.

        Raises:
            SettingError: There is no such search, or no such device.
        """
        if settings.variant is not None:
            raise SettingError(f"--variant: {self._name} is a checkpoint; only bundles have any")
        if settings.shortlist:
            raise SettingError(f"--shortlist: {self._name} is a checkpoint; only bundles have one")
        self._model.to(_device(settings))
        began = time.perf_counter()
        encoded = [self._encode(source) for source in sources]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        decoded: dict[int, Decoded] = {}
        for start in range(0, len(order), _BATCH_SIZE):
            chunk = order[start : start + _BATCH_SIZE]
            answers = decode_greedily(self._model, [encoded[i] for i in chunk])
            decoded.update(zip(chunk, answers, strict=True))
            for _ in chunk:
                on_line()
        translations = [self._tokenizer.decode(decoded[i].ids) for i in range(len(sources))]
        seconds = time.perf_counter() - began
        tokens = sum(len(answer.ids) + answer.finished for answer in decoded.values())
        return Output(
            translations=translations,
            search="greedy, in torch",
            seconds=seconds,
            figures={"tokens_per_second": round(tokens / max(seconds, 1e-9), 1)},
        )

    @torch.no_grad()
    def attend(self, source: str, target: str | None, settings: Settings) -> AttentionMap:
        """Tell what each piece of a translation looked at; see `System.attend`.

        Raises:
            NoAttentionError: The model has none.
            SettingError: One of the texts is too long, or there is no such device.
        """
        device = _device(settings)
        self._model.to(device)
        read = self._tokenizer.encode(source)
        require_length("TEXT", len(read), most=self._max_tokens)
        if target is None:
            written = list(decode_greedily(self._model, [read])[0].ids)
        else:
            written = self._tokenizer.encode(target)
            require_length("--target", len(written), most=self._max_tokens)
        weights = self._model.attention(
            torch.tensor([[*read, EOS]], device=device),  # (1, S)
            torch.tensor([[BOS, *written]], device=device),  # (1, T)
        )
        if weights is None:
            raise NoAttentionError(f"{self._name}: the model has no attention, so none to show")
        return AttentionMap(
            source=tuple(map(self._tokenizer.piece, (*read, EOS))),
            # Position t reads the piece before it, and its attention is for the piece it predicts.
            target=tuple(map(self._tokenizer.piece, (*written, EOS))),
            weights=weights[0].float().cpu().numpy(),
        )

    def _encode(self, source: str) -> list[int]:
        return self._tokenizer.encode(source)[: self._max_tokens]


def _device(settings: Settings) -> torch.device:
    """Return where to compute, having refused a search that only the engine does.

    Raises:
        SettingError: There is no such search, or no such device.
    """
    if settings.beam_size not in (None, 1) or settings.length_penalty is not None:
        raise SettingError(
            "--beam, --length-penalty: a checkpoint is decoded greedily; export it, and evaluate "
            "the bundle"
        )
    if settings.device is Device.CUDA and not torch.cuda.is_available():
        raise SettingError("--device cuda: torch finds no GPU")
    on_gpu = settings.device is not Device.CPU and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")
