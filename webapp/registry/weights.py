"""The weights file of a model: is it still the one that was registered?"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from webapp.core import files
from webapp.core.errors import UserError
from webapp.registry.models import RegisteredModel

INTACT, MISSING, ALTERED = "intact", "missing", "altered"


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, modified: int) -> str:
    return files.sha256(path)


def state(model: RegisteredModel) -> str:
    """``intact``, ``missing`` or ``altered``, for pages: a file that has not been written since is not read again."""
    path = files.absolute(model.weights_file)
    try:
        facts = path.stat()
        digest = _digest(path, facts.st_size, facts.st_mtime_ns)
    except OSError:
        return MISSING
    return INTACT if digest == model.weights_sha256 else ALTERED


def require_intact(model: RegisteredModel) -> Path:
    """Path of the weights, read anew and compared with the registered SHA-256; called before they are used.

    Raises
    ------
    UserError
        If the file is missing or another one.
    """
    path = files.absolute(model.weights_file)
    try:
        digest = files.sha256(path)
    except OSError as error:
        raise UserError(
            f"The weights of model {model.number} are missing: their file cannot be read from the data folder. "
            "Restore it from a backup, then try again; without it the model cannot be used."
        ) from error
    if digest != model.weights_sha256:
        raise UserError(
            f"The weights of model {model.number} have changed since it was registered: SHA-256 {digest[:16]} instead "
            f"of {model.weights_sha256[:16]}. They are not used. Restore the file from a backup, then try again."
        )
    return path
