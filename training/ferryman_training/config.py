"""The config of a training run: TOML in, a frozen and validated value out.

Every fault of a file is reported at once, each with its path, as in
``model.heads: 7 does not divide model.width 512``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic
from pydantic import ValidationInfo, field_validator

from ferryman_training.alignment_config import AlignmentConfig
from ferryman_training.config_section import Section
from ferryman_training.corpus_config import BatchConfig, CorpusConfig, VocabularyConfig
from ferryman_training.errors import ConfigError
from ferryman_training.model_config import ModelConfig, TransformerConfig
from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.run_config import RunConfig


class TrainingConfig(Section):
    """A whole run."""

    name: str = "model"
    corpus: CorpusConfig
    vocabulary: VocabularyConfig = VocabularyConfig()
    model: ModelConfig = TransformerConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    batch: BatchConfig = BatchConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()

    @field_validator("model")
    @classmethod
    def _every_position_is_learnt(cls, model: ModelConfig, info: ValidationInfo) -> ModelConfig:
        corpus = info.data.get("corpus")
        if (
            corpus is not None
            and isinstance(model, TransformerConfig)
            and model.positions == "learned"
            and model.max_positions <= corpus.max_tokens
        ):
            raise ValueError(
                f"max_positions: {model.max_positions} are too few for a sentence of "
                f"corpus.max_tokens {corpus.max_tokens} and its end"
            )
        return model

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

    @field_validator("optimizer")
    @classmethod
    def _a_state_passes_in_time(
        cls, optimizer: OptimizerConfig, info: ValidationInfo
    ) -> OptimizerConfig:
        model = info.data.get("model")
        if model is None or model.family == "recurrent":
            return optimizer
        settings = {
            "truncate_targets": optimizer.truncate_targets > 0,
            "sampling": optimizer.sampling != "none",
        }
        if wrong := " and optimizer.".join(name for name, used in settings.items() if used):
            raise ValueError(
                f'{wrong}: needs model.family "recurrent"; a {model.family} has no state that '
                "passes from token to token, it learns from all positions at once"
            )
        return optimizer

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
    return config.model_copy(update={"corpus": config.corpus.moved(folder)})


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
    if key in ("corpus.train", "corpus.valid", "corpus.cache") and isinstance(value, str):
        value = str(Path.cwd() / value)
    *sections, name = key.split(".")
    for section in sections:
        document = document.setdefault(section, {})
        if not isinstance(document, dict):
            raise ConfigError(f"--set {override}: {section} is a value, not a section")
    document[name] = value


def _fault(detail: Any) -> str:
    """Return one line for one pydantic error, beginning with the path of the value."""
    section, *keys = detail["loc"]
    if section == "model":
        keys = keys[1:]  # the first is the family, by which pydantic tells the sections apart
    path = ".".join(str(part) for part in (section, *keys))
    context, value = detail.get("ctx", {}), detail["input"]
    match detail["type"]:
        case "value_error" if not keys:  # of a whole section; names the key itself
            return f"{path}.{context['error']}"
        case "value_error":
            fault = str(context["error"])
        case "extra_forbidden":
            fault = "there is no such setting"
        case "missing":
            fault = "is required"
        case "union_tag_invalid":
            families = context["expected_tags"]
            return f"{path}.family: must be one of {families}, but is {context['tag']!r}"
        case "union_tag_not_found":
            fault = f"must be a section, but is {value!r}"
        case _:
            fault = f"{detail['msg']}, but is {value!r}"
    return f"{path}: {fault}"
