"""The runs of the comparison of families: who is trained on what, and how it is tested."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import sacrebleu
import tomli_w
from rich.console import Console

from benchmarks.family_figures import Figures
from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.config import load_config
from ferryman_training.corpus import SentencePair, read_pairs
from ferryman_training.decoding import decode_greedily
from ferryman_training.display import PlainDisplay
from ferryman_training.rehearsal import rehearse
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter

Sections: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Settings of a config, by section."""
_REVERSAL: Final = Path(__file__).parents[1] / "training" / "tasks" / "reversal.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of model, with the optimizer that suits it."""

    name: str
    model: Mapping[str, Any]
    """The section `[model]`, without the width."""
    optimizer: Mapping[str, Any]
    """`kind` and `learning_rate` of the section `[optimizer]`."""


def _families() -> dict[str, Family]:
    attentions: dict[str, dict[str, str]] = {
        "none": {"attention": "none"},
        "bahdanau": {"attention": "bahdanau"},
        "luong": {"attention": "luong", "score": "general"},
    }
    recurrent = {"family": "recurrent", "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.1}
    families = [
        Family(
            name=f"{cell}-{name}",
            model=recurrent | attention | {"cell": cell},
            optimizer={"kind": "adamw", "learning_rate": 1e-3 if cell == "rnn" else 3e-3},
        )
        for cell in ("rnn", "gru", "lstm")
        for name, attention in attentions.items()
    ]
    transformer = {"family": "transformer", "encoder_layers": 2, "decoder_layers": 2, "heads": 4}
    families.append(
        Family(
            name="transformer",
            model=transformer | {"feed_forward": 512, "dropout": 0.1},
            optimizer={"kind": "muon", "learning_rate": 4e-3},
        )
    )
    return {family.name: family for family in families}


FAMILIES: Final = _families()
"""By name, in the order of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is learnt."""

    name: str
    folder: Path
    """With train.tsv, valid.tsv and test.tsv."""
    settings: Sections
    """Sections of the config."""
    updates: int
    tested: int
    """Pairs of test.tsv, from the first, that are translated."""


def reversal_task(out: Path, *, updates: int, tested: int) -> Task:
    """Write the reversal task: 20,000 lines of letters, and the same in reverse order.

    Up to 16 letters: an LSTM learns to carry 10 in its state alone.
    """
    folder = out / "reversal-task"
    if not (folder / "test.tsv").exists():
        subprocess.run([sys.executable, str(_REVERSAL), str(folder), "--longest", "16"], check=True)
    settings: Sections = {
        "vocabulary": {"size": 377, "character_coverage": 1.0},
        "batch": {"tokens": 2048, "micro_batches": 1},
        "optimizer": {"label_smoothing": 0.0},
    }
    return Task(name="reversal", folder=folder, settings=settings, updates=updates, tested=tested)


def corpus_task(corpus: Path, out: Path, *, pairs: int, updates: int, tested: int) -> Task:
    """Write a slice of a corpus: pairs at even distances from the first to the last."""
    folder = out / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "test.tsv").exists():
        packed, plain = corpus / "train.tsv.xz", corpus / "train.tsv"
        everything = read_pairs(plain if plain.exists() else packed)
        count = min(pairs, len(everything))
        chosen = [everything[i * len(everything) // count] for i in range(count)]
        _write(chosen, folder / "train.tsv")
        for part in ("valid", "test"):
            _write(read_pairs(corpus / f"{part}.tsv")[: max(tested, 500)], folder / f"{part}.tsv")
    settings: Sections = {
        "corpus": {"max_tokens": 100},
        "vocabulary": {"size": 2000},
        "batch": {"tokens": 2048, "micro_batches": 1},
        "optimizer": {"label_smoothing": 0.1},
    }
    return Task(name="corpus", folder=folder, settings=settings, updates=updates, tested=tested)


def _write(pairs: Sequence[SentencePair], path: Path) -> None:
    path.write_text("".join(f"{p.source}\t{p.target}\n" for p in pairs), "utf-8")


class Run:
    """One family on one task.

    Args:
        family: Who learns.
        task: What is learnt.
        out: The folder of the whole comparison.
        width: Of the model.
        minutes: The run's updates are as many as are done in this time; None for the task's.
    """

    def __init__(
        self, family: Family, task: Task, out: Path, *, width: int, minutes: float | None
    ) -> None:
        self._family = family
        self._task = task
        self._folder = out / task.name / family.name
        self._config = self._folder.with_suffix(".toml")
        self._result = self._folder.with_suffix(".json")
        self._width = width
        self._minutes = minutes

    def finish(self) -> Figures:
        """Train to the end and test, or go on, or return what an earlier call found.

        Raises:
            SystemExit: Training failed; its message has been printed.
        """
        if not self._config.exists():
            self._config.parent.mkdir(parents=True, exist_ok=True)
            self._write(self._task.updates if self._minutes is None else self._affordable())
            self._result.unlink(missing_ok=True)
        if not self._result.exists():
            self._train()
            self._result.write_text(json.dumps(asdict(self._test()), indent=2) + "\n", "utf-8")
        return Figures(**json.loads(self._result.read_text("utf-8")))

    def _write(self, updates: int) -> None:
        """Write the config for a run of so many updates."""
        own: dict[str, dict[str, Any]] = {
            "corpus": {
                "train": str((self._task.folder / "train.tsv").resolve()),
                "valid": str((self._task.folder / "valid.tsv").resolve()),
                "placeholder_share": 0.0,
            },
            "model": {**self._family.model, "width": self._width},
            "optimizer": {
                **self._family.optimizer,
                "warmup_steps": max(1, updates // 10),
                "schedule": "constant",
                "cooldown_steps": updates // 2,
            },
            "run": {
                "steps": updates,
                "log_every": max(1, updates // 10),
                "validate_every": updates,
                "validation_sentences": 50,
                "checkpoint_every": max(1, updates // 10),
                "average_last": 1,
                "threads": 1,
            },
        }
        for section, settings in self._task.settings.items():
            own[section] = {**own.get(section, {}), **settings}
        document = {"name": self._family.name, **own}
        self._config.write_text(tomli_w.dumps(document), "utf-8")

    def _affordable(self) -> int:
        """Return how many updates take as long as the run may, measured by a rehearsal."""
        self._write(100)
        config = load_config(self._config)
        self._config.unlink()
        reporter = Reporter(config, PlainDisplay(Console(quiet=True)), log=None)
        rehearsal = rehearse(config, self._folder, reporter=reporter, replicas=Replicas())
        assert self._minutes is not None
        return max(10, round(60 * self._minutes / rehearsal.seconds_per_update))

    def _train(self) -> None:
        """Run `ferryman train`, which goes on where it was stopped."""
        command = [sys.executable, "-m", "ferryman_training"]
        command += [str(self._config), str(self._folder), "--processes", "1"]
        status = subprocess.run(command, check=False).returncode
        if status:
            raise SystemExit(status)

    def _test(self) -> Figures:
        """Translate the test pairs with the reference decoder, greedily."""
        checkpoint = Checkpoint.load(self._folder)
        model = checkpoint.model()
        pairs = read_pairs(self._task.folder / "test.tsv")[: self._task.tested]
        sources = [tokenize(pair, checkpoint.tokenizer).source for pair in pairs]
        decoded = decode_greedily(model, sources)
        texts = [checkpoint.tokenizer.decode(translation.ids) for translation in decoded]
        references = [pair.target for pair in pairs]
        same = sum(text == truth for text, truth in zip(texts, references, strict=True))
        return Figures(
            family=self._family.name,
            task=self._task.name,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            updates=checkpoint.progress.step,
            target_tokens=checkpoint.progress.target_tokens,
            tokens_per_second=self._speed(),
            exact_match=same / len(pairs),
            bleu=sacrebleu.corpus_bleu(texts, [references]).score,
            chrf=sacrebleu.corpus_chrf(texts, [references]).score,
            perplexity=checkpoint.progress.scores["perplexity"],
        )

    def _speed(self) -> float:
        """Return the best reading in the log: other programs on the machine only take away."""
        lines = (self._folder / "log.jsonl").read_text("utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return max(float(e["tokens_per_second"]) for e in events if e["event"] == "update")
