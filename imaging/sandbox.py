"""Reading untrusted files in a separate process: a second wall behind the bounds of `imaging.dicom`.

The process has an address-space limit and is killed when one file takes too long; it then starts afresh for the next
file. Answers come back as JSON and raw pixels, never as pickles, so that a process gone wrong cannot run code here.

    with Sandbox() as sandbox:
        for path in paths:
            verdict = sandbox.verdict(path)
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np

from imaging.acceptance import Verdict
from imaging.errors import SandboxFailed
from imaging.limits import MEBIBYTE
from imaging.stored_image import Rescale, StoredImage, VoiLut, VoiWindow

MEMORY_BYTES = 2048 * MEBIBYTE
SECONDS = 15.0
_START_SECONDS = 60.0
_HEADER = struct.Struct(">QQ")
_LARGEST_ANSWER = 16 * MEBIBYTE
_LARGEST_PIXELS = 256 * MEBIBYTE
_PACKAGE_PARENT = Path(__file__).resolve().parent.parent


class Sandbox:
    """One worker process that reads many files; restarted when it dies or must be stopped.

    Parameters
    ----------
    memory_bytes : int
        Address-space limit of the process.
    seconds : float
        Wall-clock limit for one file.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES, seconds: float = SECONDS) -> None:
        self._memory_bytes = memory_bytes
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def verdict(self, path: Path) -> Verdict:
        """Like `imaging.acceptance.verdict`; a crash or a passed limit becomes a refusal."""
        return self.inspect(path, with_pixels=False)[0]

    def inspect(self, path: Path, *, with_pixels: bool = True) -> tuple[Verdict, StoredImage | None]:
        """Like `imaging.acceptance.inspect`; a crash or a passed limit becomes a refusal."""
        try:
            answer, pixels = self._ask({"path": str(path.resolve()), "pixels": with_pixels})
            outcome = Verdict(bool(answer["accepted"]), str(answer["reason"]), dict(answer["facts"]))
            image = _image_from(answer["image"], pixels) if answer.get("image") else None
        except SandboxFailed as error:
            return Verdict(False, error.message), None
        except (KeyError, TypeError, ValueError):
            self.close()
            return Verdict(False, "The file could not be read: the reading process gave no sense."), None
        return outcome, image

    def _ask(self, question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        deadline = time.monotonic() + self._seconds
        try:
            stdin = cast(IO[bytes], process.stdin)
            stdin.write(json.dumps(question).encode() + b"\n")
            stdin.flush()
            length, pixel_bytes = _HEADER.unpack(self._receive(process, _HEADER.size, deadline))
            if length > _LARGEST_ANSWER or pixel_bytes > _LARGEST_PIXELS:
                raise SandboxFailed("The file could not be read: its content is larger than any mammogram.")
            answer = json.loads(self._receive(process, length, deadline))
            return answer, self._receive(process, pixel_bytes, deadline)
        except BrokenPipeError as error:
            self.close()
            raise SandboxFailed(_CRASHED) from error
        except SandboxFailed:
            self.close()
            raise
        except ValueError as error:
            self.close()
            raise SandboxFailed(_CRASHED) from error

    def _receive(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        descriptor = cast(IO[bytes], process.stdout).fileno()
        parts: list[bytes] = []
        missing = size
        while missing:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise SandboxFailed(
                    f"Reading was stopped after {self._seconds:g} seconds. The file is damaged or built to take very "
                    "long; export the image again."
                )
            part = os.read(descriptor, min(missing, MEBIBYTE))
            if not part:
                raise SandboxFailed(_CRASHED)
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join([str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]),
            # One thread each: thread stacks count against the address space.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "imaging.sandbox", str(self._memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._process = process
        ready = self._receive_ready(process)
        if not ready:
            self.close()
            raise SandboxFailed("The process that reads files did not start. Tell an administrator.")
        return process

    def _receive_ready(self, process: subprocess.Popen[bytes]) -> bool:
        try:
            return self._receive(process, 1, time.monotonic() + _START_SECONDS) == b"R"
        except SandboxFailed:
            return False


_CRASHED = (
    "The file could not be read: it made the reading process fail or ask for too much memory. The file is damaged; "
    "export the image again."
)


def _image_from(description: dict[str, Any], pixels: bytes) -> StoredImage:
    dtype = {"uint8": np.uint8, "uint16": np.uint16}[description["dtype"]]
    rows, columns = (int(side) for side in description["shape"])
    spacing, padding = description["spacing_mm"], description["padding"]
    return StoredImage(
        pixels=np.frombuffer(pixels, dtype=dtype).reshape(rows, columns).copy(),
        bits_stored=int(description["bits_stored"]),
        spacing_mm=(float(spacing[0]), float(spacing[1])) if spacing else None,
        photometric=description["photometric"],
        vendor=description["vendor"],
        spacing_source=description["spacing_source"],
        laterality=description["laterality"],
        view_position=description["view_position"],
        source_format=description["source_format"],
        rescale=Rescale(**description["rescale"]) if description["rescale"] else None,
        windows=tuple(VoiWindow(**window) for window in description["windows"]),
        luts=tuple(
            VoiLut(lut["first"], np.asarray(lut["brightness"], dtype=np.float32), lut["explanation"])
            for lut in description["luts"]
        ),
        notes=tuple(description["notes"]),
        chest_wall=description["chest_wall"],
        implant=description["implant"],
        padding=(int(padding[0]), int(padding[1])) if padding else None,
    )


def _description(image: StoredImage) -> dict[str, Any]:
    return {
        "dtype": image.pixels.dtype.name,
        "shape": list(image.shape),
        "bits_stored": image.bits_stored,
        "spacing_mm": image.spacing_mm,
        "photometric": image.photometric,
        "vendor": image.vendor,
        "spacing_source": image.spacing_source,
        "laterality": image.laterality,
        "view_position": image.view_position,
        "source_format": image.source_format,
        "rescale": asdict(image.rescale) if image.rescale else None,
        "windows": [asdict(window) for window in image.windows],
        "luts": [
            {"first": lut.first, "brightness": lut.brightness.tolist(), "explanation": lut.explanation}
            for lut in image.luts
        ],
        "notes": list(image.notes),
        "chest_wall": image.chest_wall,
        "implant": image.implant,
        "padding": image.padding,
    }


def _serve(memory_bytes: int) -> None:
    """Answer questions until the other side closes; runs inside the sandbox."""
    import resource

    from imaging.acceptance import inspect

    # Answers go out on a private copy: whatever a codec prints cannot get between them.
    answers = os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers.write(b"R")
    answers.flush()
    for line in sys.stdin.buffer:
        question = json.loads(line)
        outcome, image = inspect(Path(question["path"]))
        answer: dict[str, Any] = {"accepted": outcome.accepted, "reason": outcome.reason, "facts": outcome.facts}
        data = b""
        if image is not None and question["pixels"]:
            answer["image"] = _description(image)
            data = np.ascontiguousarray(image.pixels).tobytes()
        text = json.dumps(answer).encode()
        answers.write(_HEADER.pack(len(text), len(data)) + text)
        answers.write(data)
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
