"""The main job, clicked through in a browser, with the web process and the workers as they are served.

Pictures with masks are handed in through the page for an internal and an external site, become a frozen dataset, and
an experiment of three arms runs from the form to the images behind a number.
"""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from imaging.contours import polygons_to_mask
from imaging.reading import read_pixels
from imaging.rendering import picture
from simulation.phantom.phantom_set import DEFAULT_MIX, write_phantom_set

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
LONG = 900_000
"""Milliseconds; a bound for a test that would otherwise hang."""
PASSWORD = "clicks through everything"


def write_pairs(folder: Path, site: str, patients: int) -> Path:
    """A zip of PNG pairs with masks and a manifest, made from phantoms."""
    import json

    manifest = write_phantom_set(folder / f"phantoms-{site}", sites={site: patients}, size="test", seed=7)
    root = manifest.parent
    archive = folder / f"site-{site}.zip"
    rows = []
    with zipfile.ZipFile(archive, "w") as handle:
        for patient in json.loads(manifest.read_text())["patients"]:
            for view in patient["views"]:
                stem = f"{patient['patient']}_{view['laterality']}_{view['view']}"
                row: dict[str, Any] = {
                    "patient": patient["patient"], "laterality": view["laterality"], "view": view["view"],
                    "low_energy": f"{stem}_LE.png", "recombined": f"{stem}_RE.png", "mask_low_energy": "",
                    "microcalcification": "", "pathology": "",
                }  # fmt: skip
                for kind in ("low_energy", "recombined"):
                    pixels = picture(read_pixels(root / view[kind]))
                    PillowImage.fromarray(pixels).save(folder / "picture.png")
                    handle.write(folder / "picture.png", row[kind])
                if view["lesions"]:
                    lesion = view["lesions"][0]
                    mask = polygons_to_mask(lesion["polygons"], pixels.shape[:2])
                    PillowImage.fromarray(mask.astype("uint8") * 255).save(folder / "mask.png")
                    row["mask_low_energy"] = f"{stem}_mask.png"
                    row["microcalcification"] = int(lesion["lesion_type"] == "cluster")
                    row["pathology"] = lesion["malignancy"]
                    handle.write(folder / "mask.png", row["mask_low_energy"])
                rows.append(row)
        with (folder / "pairs.csv").open("w", newline="") as table:
            writer = csv.DictWriter(table, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        handle.write(folder / "pairs.csv", "pairs.csv")
    return archive


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of an installation of its own: web process, workers, database, broker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "CEMLAB_DATA": str(tmp_path / "data"),
        "CEMLAB_PASSWORD": PASSWORD,
        "OMP_NUM_THREADS": "1",
    }
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        environment.pop(name, None)

    def manage(*arguments: str) -> None:
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)

    manage("migrate", "-v0")
    manage("create_user", "ada", "--project", "clicks", "--new-project", "--role", "admin")
    output = (tmp_path / "serve.txt").open("wb")
    server = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, server)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
        output.close()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(f"{address}/health/", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("the server does not answer")


def hand_in(page: Page, address: str, archive: Path, site: str, patients: int) -> None:
    page.goto(f"{address}/clicks/import/")
    page.get_by_role("combobox", name="Site").fill(site)
    page.locator("[data-choose-files]").set_input_files(archive)
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url(re.compile(r"/import/\d+/$"), timeout=LONG)
    head = page.locator(".report-head")
    expect(head).to_have_text(
        re.compile(rf"^{patients} exams of {patients} patients: {8 * patients} files imported, 0 unchanged, 0 refused"),
        timeout=LONG,
    )


def test_from_pictures_to_the_images_behind_a_number(served: str, page: Page, tmp_path: Path, accessible: Any) -> None:
    assert len(DEFAULT_MIX) == 6
    page.goto(served)
    page.get_by_label(re.compile("name", re.I)).first.fill("ada")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Clicks")
    accessible()

    hand_in(page, served, write_pairs(tmp_path, "A", 12), "inside", 12)
    accessible()
    hand_in(page, served, write_pairs(tmp_path, "B", 6), "outside", 6)

    page.goto(f"{served}/clicks/cases/")
    expect(page.get_by_text("18", exact=True).first).to_be_visible(timeout=LONG)
    accessible()
    page.get_by_role("checkbox", name="Select all rows of this page").click()
    expect(page.locator("[data-selection-count]").first).to_have_text("18")
    page.get_by_role("button", name="Add to dataset", exact=True).click()
    page.get_by_label("Name of the new dataset").fill("Two sites")
    page.get_by_role("button", name=re.compile("Add 18 cases")).click()
    expect(page.get_by_label("outside")).to_be_visible()
    accessible()
    page.get_by_label("outside").check()
    page.get_by_role("button", name="Draw the split").click()
    page.get_by_role("button", name="Freeze version 1").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Freeze version 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Frozen")
    accessible()

    page.goto(f"{served}/clicks/experiments/new/")
    page.locator("#id_name").fill("Does it help?")
    page.locator("#id_hypothesis").fill("Synthetic clusters raise the sensitivity for malignant clusters.")
    page.locator("#id_preset").get_by_text("Quick, without a GPU").click()
    expect(page.locator("[name=set-backbone]")).not_to_have_value("resnet50")
    page.locator("[name=set-epochs]").fill("1")
    page.locator("[name=set-epochs]").press("Tab")
    freeze = page.get_by_role("button", name="Freeze design")
    expect(freeze).to_be_enabled()
    accessible()
    freeze.click()
    page.wait_for_url(re.compile(r"/experiments/\d+/$"))
    accessible()
    page.get_by_role("button", name="Launch").click()
    expect(page.locator("#runs-table")).to_be_visible()
    accessible()

    page.get_by_role("link", name=re.compile("seed|0 %")).first.click()
    page.wait_for_url(re.compile(r"/experiments/1/runs/"))
    accessible()
    results = f"{served}/clicks/results/1/"
    deadline = time.monotonic() + LONG / 1000
    while time.monotonic() < deadline:
        page.goto(results)
        if page.get_by_role("heading", name=re.compile("Sensitivity")).count():
            break
        expect(page.get_by_text(re.compile("Open when 3 of 3 runs end"))).to_be_visible()
        page.wait_for_timeout(3000)
    accessible()
    for panel in ("Sensitivity", "Precision", "AUC"):
        expect(page.get_by_role("heading", name=re.compile(panel)).first).to_be_visible()

    page.get_by_role("link", name=re.compile("miss", re.I)).first.click()
    page.wait_for_url(lambda url: url != results)
    accessible()
    page.locator("main a[href*='/cases/']").first.click()
    page.wait_for_url(re.compile(r"/cases/\d+/\?.*run="))
    expect(page.get_by_role("checkbox", name=re.compile("Prediction")).first).to_be_visible(timeout=LONG)
    page.goto(f"{served}/clicks/jobs/")
    accessible()
