"""Every error of training that a caller can meet; each message says what to do.

* TrainingError         exit status 1
  + ConfigError         2   a config with faults, all of them named
  + CorpusError         1   a corpus that cannot be read, is empty or malformed
  + CheckpointError     1   a checkpoint that is missing, damaged, of another run, or in use
  + DivergenceError     1   a gradient that is infinite or no number
  + ReplicaLostError    3   another process of the run has ended
"""

from __future__ import annotations

from typing import ClassVar


class TrainingError(Exception):
    """Training cannot start or go on; the message names the cause and the remedy."""

    exit_status: ClassVar[int] = 1
    """What the command ends with."""


class ConfigError(TrainingError):
    """A config has faults; the message lists all of them, one a line, with their paths."""

    exit_status = 2


class CorpusError(TrainingError):
    """A corpus is missing, empty or malformed, or too small for the vocabulary asked for."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged, cannot be written or belongs to another run."""


class DivergenceError(TrainingError):
    """A gradient is infinite or no number, so the update was not done."""


class ReplicaLostError(TrainingError):
    """Another process of the run has ended, so this one cannot go on."""

    exit_status = 3
