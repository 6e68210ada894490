"""Why a bundle cannot be run here.

* RuntimeError
  + DeviceError         the device asked for cannot be used; nothing else is used instead
  + VerificationError   this machine does not compute what the bundle's maker computed
  + NoScorerError       translations cannot be scored with this bundle
"""

from __future__ import annotations


class DeviceError(RuntimeError):
    """The device asked for cannot be used; the message says what to install or to choose."""


class VerificationError(RuntimeError):
    """A golden sentence came out otherwise than the bundle says."""


class NoScorerError(RuntimeError):
    """The bundle has no scorer graph; the message says what to do."""
