"""Every error of training that a caller can meet; each message says what to do.

* TrainingError
  + ConfigError        a config with faults, all of them named
  + CorpusError        a corpus that cannot be read or is empty
  + CheckpointError    a checkpoint that is missing, damaged or of another model
"""

from __future__ import annotations


class TrainingError(Exception):
    """Training cannot start or go on; the message names the cause and the remedy."""


class ConfigError(TrainingError):
    """A config has faults; the message lists all of them, one a line, with their paths."""


class CorpusError(TrainingError):
    """A corpus is missing, empty or malformed."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged or belongs to another model."""
