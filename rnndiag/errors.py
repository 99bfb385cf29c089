"""Errors that a user can act on: what is wrong, where, and what to try."""

from __future__ import annotations


class RnndiagError(Exception):
    """Base of every error that rnndiag raises on purpose.

    `message` says what and where, `hint` what to try; `exit_code` is the process's status.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnreadableCheckpoint(RnndiagError):
    """The file is missing, damaged, or in no format that a reader recognises."""


class NoCheckpoint(UnreadableCheckpoint):
    """The content is of none of the formats; it may never have been meant as a checkpoint."""


class UnsupportedCheckpoint(RnndiagError):
    """The format is known, but this version does not read it."""


class UnsafeCheckpoint(RnndiagError):
    """The file reaches for other files, or for more memory than it has content."""


class TooLarge(RnndiagError):
    """It would take more memory than ``--max-memory`` allows."""


class BadProbe(RnndiagError):
    """The probe or the targets do not fit the network."""


class BadOption(RnndiagError):
    """An option's value makes no sense for this checkpoint."""
