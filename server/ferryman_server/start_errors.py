"""Why a server does not start, or a command does not run: one line each, and the exit code.

* StartError                   1
  + AddressError               1   the port is in use
  + ConfigError                2   flags or variables
  + BundleUnusableError        4   unreadable, damaged, or not for this version
  + ModelNotInstalledError     4   no bundle given, and none installed
  + DeviceError                1   the device asked for is not there

The command `ferryman` prints what has an ``exit_code`` without a traceback; the numbers are those
of `ferryman.exit_codes`.
"""

from __future__ import annotations

from typing import ClassVar

from ferryman.exit_codes import ExitCode


class StartError(Exception):
    """Nothing runs, and the message says what to do about it."""

    exit_code: ClassVar[int] = ExitCode.FAILURE


class AddressError(StartError):
    """The server cannot listen where it should."""


class DeviceError(StartError):
    """The device asked for cannot be used; another one is never taken silently."""


class ConfigError(StartError):
    """Flags or variables are wrong; one fault a line."""

    exit_code = ExitCode.USAGE


class BundleUnusableError(StartError):
    """A bundle cannot be read, or is not what its manifest says."""

    exit_code = ExitCode.BAD_INPUT


class ModelNotInstalledError(StartError):
    """No bundle was given, and there is none or more than one to take instead."""

    exit_code = ExitCode.BAD_INPUT
