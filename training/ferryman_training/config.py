"""The config of a training run: TOML in, a frozen and validated value out.

Every fault of a file is reported at once, each with its path, as in
``model.heads: 7 does not divide model.width 512``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ferryman_training.errors import ConfigError

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    # Defaults are validated too: `width = 250` alone does not fit the default number of heads.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class CorpusConfig(_Section):
    """Where the sentence pairs are: TSV, source TAB target, plain or .gz/.xz."""

    train: Path
    """Training pairs; a relative path is relative to the config file."""
    valid: Path
    """Validation pairs, never trained on."""
    source_language: str = "en"
    """BCP-47 code of the source side."""
    target_language: str = "fr"
    """BCP-47 code of the target side."""
    max_tokens: Positive = 128
    """Pairs with a longer side, in tokens, are left out and counted."""
    placeholder_share: Fraction = 0.15
    """Share of the pairs in which, each epoch anew, shared spans become reserved pieces."""


class VocabularyConfig(_Section):
    """The joint SentencePiece vocabulary."""

    kind: Literal["unigram", "bpe"] = "unigram"
    size: Annotated[int, Field(ge=325)] = 8192
    """Pieces in all; 256 bytes, 64 reserved and 4 special ones are among them."""
    character_coverage: Annotated[float, Field(gt=0.9, le=1.0)] = 0.9998
    """Share of the corpus' characters that get a piece; the rest is spelt in bytes."""
    sample_sentences: Positive = 400_000
    """SentencePiece is trained on at most so many sentences, drawn at random."""


class ModelConfig(_Section):
    """The Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), pre-norm."""

    family: Literal["transformer"] = "transformer"
    encoder_layers: Positive = 6
    decoder_layers: Positive = 2
    width: Positive = 256
    """Size of embeddings and layer outputs, d_model in the paper."""
    heads: Positive = 4
    feed_forward: Positive = 1024
    """Size of the hidden layer of the feed-forward blocks, d_ff in the paper."""
    dropout: Fraction = 0.1

    @field_validator("width")
    @classmethod
    def _width_is_even(cls, width: int) -> int:
        if width % 2:
            raise ValueError(f"{width} is odd; sinusoidal positions come in pairs")
        return width

    @field_validator("heads")
    @classmethod
    def _heads_divide_width(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("width")
        if width is not None and width % heads:
            raise ValueError(f"{heads} does not divide model.width {width}")
        return heads


class BatchConfig(_Section):
    """How sentence pairs become updates."""

    tokens: Positive = 4096
    """Size of one micro-batch: sentences times the longest side, padding included."""
    micro_batches: Positive = 2
    """Micro-batches per update, shared out over the processes and accumulated."""


class OptimizerConfig(_Section):
    """Optimizer and learning-rate schedule."""

    kind: Literal["adamw", "muon"] = "adamw"
    """``muon`` orthogonalises the updates of matrices (torch.optim.Muon); the rest is AdamW."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.4e-3
    """The peak, at the end of the warm-up."""
    warmup_steps: Positive = 800
    """The first so many updates go up linearly from zero."""
    schedule: Literal["inverse-sqrt", "constant"] = "inverse-sqrt"
    """What follows the warm-up, until the cool-down."""
    cooldown_steps: Annotated[int, Field(ge=0)] = 1500
    """The last so many updates go down linearly to zero."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.98)
    """Decay of the two moments of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled, times the learning rate, of every parameter."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients with a greater L2 norm are scaled down to it."""
    label_smoothing: Fraction = 0.1


class RunConfig(_Section):
    """How long to train, and what to do on the way."""

    steps: Positive = 10_000
    """Updates in all."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """``auto`` takes CUDA where there is a GPU."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """``bfloat16`` computes in bfloat16 and keeps float32 master weights."""
    seed: int = 20261121
    """Decides initial weights, vocabulary sample, order of the corpus, dropout."""
    log_every: Positive = 50
    """Updates between lines of the log; the figures are means over as many."""
    validate_every: Positive = 1000
    """Updates between validations: loss on all, BLEU and chrF by real decoding on some."""
    validation_sentences: Positive = 400
    """Sentences that are decoded for BLEU and chrF during training."""
    checkpoint_every: Positive = 250
    """Updates between checkpoints."""
    average_last: Positive = 5
    """At the end the last so many averaging points are averaged into the final weights."""
    average_every: Positive = 250
    """Updates between averaging points."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads per process; 0 shares the machine's cores out over the processes."""


class TrainingConfig(_Section):
    """A whole run."""

    name: str = "model"
    corpus: CorpusConfig
    vocabulary: VocabularyConfig = VocabularyConfig()
    model: ModelConfig = ModelConfig()
    batch: BatchConfig = BatchConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()

    @field_validator("batch")
    @classmethod
    def _a_pair_fits_a_batch(cls, batch: BatchConfig, info: ValidationInfo) -> BatchConfig:
        corpus = info.data.get("corpus")
        if corpus is not None and batch.tokens <= corpus.max_tokens:
            raise ValueError(
                f"tokens: {batch.tokens} does not hold one pair of "
                f"corpus.max_tokens {corpus.max_tokens} and its end"
            )
        return batch

    @field_validator("run")
    @classmethod
    def _schedule_fits(cls, run: RunConfig, info: ValidationInfo) -> RunConfig:
        optimizer = info.data.get("optimizer")
        if optimizer is not None and optimizer.warmup_steps + optimizer.cooldown_steps > run.steps:
            raise ValueError(
                f"steps: {run.steps} is less than optimizer.warmup_steps "
                f"{optimizer.warmup_steps} + optimizer.cooldown_steps {optimizer.cooldown_steps}"
            )
        return run


def parse_config(document: dict[str, Any], *, folder: Path, origin: str) -> TrainingConfig:
    """Validate a parsed TOML document.

    Args:
        document: The document as `tomllib` returns it.
        folder: Relative corpus paths are relative to this folder.
        origin: What the error message calls the document.

    Raises:
        ConfigError: Naming every fault, one a line.
    """
    try:
        config = TrainingConfig.model_validate(document)
    except pydantic.ValidationError as error:
        lines = [f"  {_fault(detail)}" for detail in error.errors()]
        count = "a fault" if len(lines) == 1 else f"{len(lines)} faults"
        raise ConfigError("\n".join([f"{origin} has {count}:", *lines])) from error
    corpus = config.corpus
    paths = {
        "train": (folder / corpus.train).resolve(),
        "valid": (folder / corpus.valid).resolve(),
    }
    return config.model_copy(update={"corpus": corpus.model_copy(update=paths)})


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a config file and apply ``section.key=value`` overrides to it.

    Relative corpus paths in the file are relative to the file's folder; those in overrides, which
    a person types, to the current one.

    Raises:
        ConfigError: The file is missing, is no TOML, or has faults.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error
    for override in overrides:
        _apply(document, override)
    return parse_config(document, folder=path.parent, origin=str(path))


def _apply(document: dict[str, Any], override: str) -> None:
    """Set one value of the document, given as ``section.key=value`` with a TOML value."""
    key, separator, text = (part.strip() for part in override.partition("="))
    if not separator or not key:
        raise ConfigError(f"--set {override}: must have the form section.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # so that a string needs no quotes inside those of the shell
    if key in ("corpus.train", "corpus.valid"):
        value = str(Path.cwd() / str(value))
    *sections, name = key.split(".")
    for section in sections:
        document = document.setdefault(section, {})
        if not isinstance(document, dict):
            raise ConfigError(f"--set {override}: {section} is a value, not a section")
    document[name] = value


def _fault(detail: Any) -> str:
    """Return one line for one pydantic error, beginning with the path of the value."""
    path = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "value_error" if len(detail["loc"]) == 1:  # of a whole section; names the key itself
            return f"{path}.{detail['ctx']['error']}"
        case "value_error":
            return f"{path}: {detail['ctx']['error']}"
        case "extra_forbidden":
            return f"{path}: there is no such setting"
        case "missing":
            return f"{path}: is required"
        case _:
            return f"{path}: {detail['msg']}, but is {detail['input']!r}"
