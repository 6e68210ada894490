"""What can go wrong while a corpus is made.

* TrainingError         exit status 1
  + MirrorError         the mirror does not answer, or not with what its index promises
  + PackageError        a package that is no package, or damaged
"""

from __future__ import annotations

from ferryman_training.errors import TrainingError


class MirrorError(TrainingError):
    """The mirror does not answer, or not with what its index promises."""


class PackageError(TrainingError):
    """A package is damaged, or no Debian package."""
