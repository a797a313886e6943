"""What Stride throws. Every message says what was wrong, where, and how to mend it."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """Base of all errors of Stride's."""


class UsageError(Error, ValueError):
    """A wrong argument, or arguments that do not go together."""


class InputError(Error):
    """A file that is missing, truncated, corrupt or of another kind than needed."""


class QualityError(Error):
    """A quality gate that failed, or a sample that did not stay finite where that ends the run."""


class ResourceError(Error):
    """Out of memory, disk, or file size."""


class LockedError(Error):
    """Somebody else holds the lock."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended the work at its next step. `partial` is what was finished; None: nothing was."""

    def __init__(self, message: str = "", partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial
