"""What can go wrong with a file that is translated; every error says what to do about it.

* FileError                a file cannot be read or written
  + InputFileError         the input is not what its name says, or not there
  + OutputBusyError        another process writes this output
  + OtherRunError          what is left of an earlier run belongs to other options or another input
  + OutputFileError        the output cannot be written, as when the disk is full
* OtherModelError          a server translates with another model than the run began with
"""

from __future__ import annotations

from typing import ClassVar

from ferryman.exit_codes import ExitCode


class FileError(Exception):
    """A file cannot be read or written."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE
    """What the `ferryman` command exits with."""


class InputFileError(FileError):
    """The input is not what its name says, or not there."""

    exit_code = ExitCode.BAD_INPUT


class OutputBusyError(FileError):
    """Another process writes this output."""


class OtherRunError(FileError):
    """What is left of an earlier run belongs to other options or to another input."""

    exit_code = ExitCode.BAD_INPUT


class OutputFileError(FileError):
    """The output cannot be written, as when the disk is full. What is done is kept."""


class OtherModelError(Exception):
    """A server translates with another model than the run began with."""

    exit_code = ExitCode.NOT_OFFERED
