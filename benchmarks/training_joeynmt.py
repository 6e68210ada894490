"""JoeyNMT's trainer as a contender.

Called as ``python -m benchmarks.training_joeynmt FOLDER WHOSE TOKENS`` in an environment of its
own; it imports nothing of ferryman's. One update is the body of the loop in
`joeynmt.training.TrainManager.train_and_validate`, without its reports.

Kreutzer et al. 2019, "Joey NMT: A Minimalist NMT Toolkit for Novices",
https://arxiv.org/abs/1907.12484.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.turns import take_turns


def prepare(folder: Path, whose: str, tokens: int) -> tuple[int, Callable[[int], int]]:
    """Return the number of parameters, and what does so many updates.

    Args:
        folder: See `benchmarks.training_corpus`.
        whose: ``own`` for the batches that JoeyNMT makes while it trains, ``given`` for those of
            the plan, ready-made before the clock runs.
        tokens: Size of a batch.
    """
    import torch
    from joeynmt.config import parse_global_args  # type: ignore
    from joeynmt.prediction import prepare as load  # type: ignore
    from joeynmt.training import TrainManager  # type: ignore

    args = parse_global_args(_config(folder, tokens), rank=0, mode="train")
    torch.manual_seed(args.seed)
    model, data, _, _ = load(args, rank=0, mode="train")
    trainer = TrainManager(
        model=model,
        model_dir=args.model_dir,
        device=args.device,
        rank=0,
        autocast=args.autocast,
        seed=args.seed,
        train_args=args.train,
        dev_args=args.test,
    )
    batches = _own(trainer, data, tokens) if whose == "own" else _given(model, data, folder)
    parameters = {id(p): p.numel() for p in model.parameters()}
    return sum(parameters.values()), lambda updates: _work(trainer, batches, updates)


def _work(trainer: Any, batches: Iterator[Any], updates: int) -> int:
    """Do so many updates and return their target tokens."""
    done = 0
    for batch in itertools.islice(batches, updates):
        trainer._train_step(batch)  # noqa: SLF001  # the loop around it cannot be stopped
        trainer.clip_grad_fun(parameters=trainer.model.parameters())
        trainer.optimizer.step()
        trainer.scheduler.step(trainer.stats.steps)
        trainer.model.zero_grad()
        trainer.stats.steps += 1
        done += batch.ntokens
    return done


def _own(trainer: Any, data: Any, tokens: int) -> Iterator[Any]:
    """Yield the batches of JoeyNMT's own sampler, epoch after epoch."""
    for epoch in itertools.count():
        data.seed = trainer.seed + epoch
        yield from data.make_iter(
            batch_size=tokens,
            batch_type="token",
            seed=trainer.seed + epoch,
            shuffle=True,
            eos_index=trainer.model.eos_index,
            pad_index=trainer.model.pad_index,
        )


def _given(model: Any, data: Any, folder: Path) -> Iterator[Any]:
    """Yield the batches of the plan, over and over."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    data.reset_indices()
    batches = [
        data.collate_fn(
            [data[row] for row in rows], pad_index=model.pad_index, eos_index=model.eos_index
        )
        for rows in plan
    ]
    return itertools.cycle(batches)


def _config(folder: Path, tokens: int) -> dict[str, Any]:
    """Return what a YAML file would say: the same model, loss and optimizer as ferryman's."""
    stack = {
        "type": "transformer",
        "num_heads": 4,
        "embeddings": {"embedding_dim": 256, "scale": True, "dropout": 0.1},
        "hidden_size": 256,
        "ff_size": 1024,
        "dropout": 0.1,
        "layer_norm": "pre",
    }
    side = {"level": "word", "voc_file": str(folder / "vocabulary.txt")}
    return {
        "name": "benchmark",
        "model_dir": str(folder / "joeynmt"),
        "use_cuda": False,
        "random_seed": 1,
        "data": {
            "train": str(folder / "train"),
            "dev": str(folder / "valid"),
            "dataset_type": "plain",
            "src": {"lang": "source", **side},
            "trg": {"lang": "target", **side},
        },
        "testing": {},
        "training": {
            "optimizer": "adamw",
            "adam_betas": [0.9, 0.98],
            "scheduling": "warmupinversesquareroot",
            "learning_rate": 0.0014,
            "learning_rate_warmup": 800,
            "weight_decay": 0.01,
            "clip_grad_norm": 1.0,
            "label_smoothing": 0.1,
            "normalization": "tokens",
            "batch_size": tokens,
            "batch_type": "token",
            "batch_multiplier": 1,
            "epochs": 1,
            "max_updates": 1_000_000,
        },
        "model": {
            "initializer": "xavier_uniform",
            "bias_initializer": "zeros",
            "embed_initializer": "xavier_uniform",
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": {**stack, "num_layers": 6},
            "decoder": {**stack, "num_layers": 2},
        },
    }


if __name__ == "__main__":
    folder, whose, tokens = sys.argv[1:]
    take_turns(lambda: prepare(Path(folder), whose, int(tokens)))
