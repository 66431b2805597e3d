"""What the documentation names is there: links, files, commands with their options, and every benchmark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from benchmarks.run_all import BENCHMARKS, WITH_OWN_DATA
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
CODE = re.compile(r"```[^\n]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE_FILE = re.compile(r"[\w./-]+\.(?:py|ts|css|html|sh)\b")
COMMAND = re.compile(
    r"python(?:3)? -m (?P<module>(?:benchmarks|simulation|detection|tests)[\w.]*)(?: (?P<sub>[a-z][a-z-]+)\b)?"
    r"|(?P<script>benchmarks/\w+\.py)|manage\.py (?P<manage>[a-z_]+)|\bmake (?P<make>[a-z-]+)"
)
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def code_of(text: str) -> Iterator[str]:
    """Each line that is set as code."""
    for block, span in CODE.findall(text):
        yield from (block or span).splitlines()


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def words_of(found: re.Match[str]) -> str:
    """Help or source of a named command, which hold its options; empty when there is no such command."""
    if found["script"]:
        return path.read_text() if (path := ROOT / found["script"]).is_file() else ""
    if found["manage"]:
        app = get_commands().get(found["manage"])
        command = app and load_command_class(app, found["manage"])
        return command.create_parser("manage.py", found["manage"]).format_help() if command else ""
    path = ROOT / found["module"].replace(".", "/")
    if not path.is_dir():
        return file.read_text() if (file := path.with_suffix(".py")).is_file() else ""
    return "".join(file.read_text() for file in (*path.glob("__main__.py"), *path.glob("commands/*.py")))


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_pages_and_headings_that_are_there(name: str) -> None:
    page = ROOT / name
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        place, _, anchor = target.partition("#")
        linked = (page.parent / place).resolve() if place else page
        assert linked.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors_of(linked), f"{name} links to {target}"


@pytest.mark.parametrize("name", NAMES)
def test_source_files_that_are_named_are_there(name: str) -> None:
    tracked = [
        path.as_posix()
        for part in ("imaging", "simulation", "detection", "webapp", "benchmarks", "tests", "templates", "static/src")
        for path in (ROOT / part).rglob("*.*")
    ]
    for line in code_of((ROOT / name).read_text()):
        for file in SOURCE_FILE.findall(line) if not re.search(r"[<*]", line) else ():
            there = (ROOT / file).exists() or any(path.endswith(f"/{file}") for path in tracked)
            assert there, f"{name} names {file}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_are_named_are_there_with_their_options(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in code_of((ROOT / name).read_text()):
        for found in COMMAND.finditer(line):
            if found["make"]:
                assert found["make"] in targets, f"{name} names make {found['make']}"
                continue
            words = words_of(found)
            assert words, f"{name} names {found[0]}"
            if found["sub"] and found["module"] in ("simulation", "detection"):
                assert f'"{found["sub"]}"' in words, f"{name} names {found[0]}"
            if found["module"] == "tests.with_production_services":
                continue  # what follows belongs to the command it runs
            for option in OPTION.findall(line[found.end() :]):
                assert re.search(rf"{option}\b", words), f"{name} gives {option} to {found[0]}"


def test_every_benchmark_is_run_or_needs_data_and_has_its_figures_in_the_documentation() -> None:
    files = [path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()]
    there = {path.stem for path in files} - {"run_all"}
    assert there == {*BENCHMARKS, *WITH_OWN_DATA}
    assert not {*BENCHMARKS} & {*WITH_OWN_DATA}
    told = "".join(page.read_text() for page in PAGES)
    assert not [name for name in there if not re.search(rf"benchmarks[./]{name}\b", told)]
