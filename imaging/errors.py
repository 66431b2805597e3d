"""Errors of the ground floor: each message says what is wrong, why, and what to do; none carries an identifier."""

from __future__ import annotations


class ImagingError(Exception):
    """Something about an image could not be accepted.

    Parameters
    ----------
    message : str
        A sentence in plain words for the person who gave the image. It never names a patient.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnreadableFile(ImagingError):
    """The bytes are not a file of a kind we read, or they are damaged."""


class TooLarge(ImagingError):
    """The file, its header or its image goes over a limit."""


class UnsupportedPixels(ImagingError):
    """The image is readable in principle, but its pixels are of a kind we do not take."""


class PairMismatch(ImagingError):
    """The low-energy and the recombined image do not belong together."""


class DeidentificationFailed(ImagingError):
    """An identifying value survived de-identification; nothing may be stored."""


class SandboxFailed(ImagingError):
    """The separate process that reads untrusted files died, or ran out of time or memory."""


class BreastNotFound(ImagingError):
    """No breast could be told from the background."""
