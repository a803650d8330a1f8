"""The errors that a user can cause and can put right."""

from __future__ import annotations


class UserError(Exception):
    """Something the user gave is wrong; the message names it, says why, and says what to do.

    The command line prints the message after ``error: `` without a traceback and exits with its status.
    """

    status = 2


class NotWritten(UserError):
    """A file or folder cannot be written."""


class NothingToLearn(UserError):
    """The training pictures show nothing, or nothing that is large enough, to learn from."""

    status = 1  # what was given is understood, and nothing can come of it


class MissingDependency(UserError, ImportError):
    """A package, library or driver that the work needs is absent; the message says what to install.

    It is an ImportError too, so that ``try: ... except ImportError`` and pytest's ``importorskip`` understand
    it.
    """
