"""Keyed hashes: they find a patient or file again on re-import and tell nothing to whoever lacks the secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from django.conf import settings

_BLOCK = 1 << 20
# Without letters and digits that look alike (Crockford's alphabet).
_STANDARD, _READABLE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _secret() -> bytes:
    return str(settings.DEIDENTIFICATION_SECRET).encode()


def keyed(*parts: str) -> str:
    """HMAC-SHA256 of words, as 64 hex digits; each word is prefixed by its length so that none run together."""
    mac = hmac.new(_secret(), digestmod=hashlib.sha256)
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        mac.update(len(content).to_bytes(8, "big") + content)
    return mac.hexdigest()


def keyed_file(path: Path) -> str:
    """HMAC-SHA256 of a file's bytes, as 64 hex digits."""
    mac = hmac.new(_secret(), b"file", hashlib.sha256)
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            mac.update(block)
    return mac.hexdigest()


def pseudonym(source_key: str) -> str:
    """A short name for a patient, derived from the keyed hash of the source's identifier: ``P-7K2M9QXA``."""
    code = base64.b32encode(bytes.fromhex(keyed("pseudonym", source_key))[:5])
    return "P-" + code.translate(bytes.maketrans(_STANDARD, _READABLE)).decode()
