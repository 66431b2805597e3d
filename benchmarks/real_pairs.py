"""The three-arm experiment on real CEM pairs, from the manifest to the numbers.

Half of the patients are imported under a second site that is declared external. Where a manifest has no lesion-free
breast, clusters are inserted into training views outside the dilated lesion masks; the records say so. Prints one
JSON object: what was imported, what was simulated, and the summary with intervals. The manifest has the columns of
docs/formats/pairs.md; images are read where they lie and a temporary data folder is used.

Run: ``python -m benchmarks.real_pairs PAIRS.csv [--patients N] [--epochs N] [--preset cpu-quick]``
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def halves(manifest: Path, patients: int | None, folder: Path) -> list[Path]:
    """Two manifests with alternate patients; their image paths are made absolute through a link to the images."""
    with manifest.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    names = list(dict.fromkeys(row["patient"] for row in rows))[:patients]
    written = []
    for half in (0, 1):
        chosen = set(names[half::2])
        target = manifest_folder(manifest, folder, half)
        path = target / "pairs.csv"
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(row for row in rows if row["patient"] in chosen)
        written.append(path)
    return written


def manifest_folder(manifest: Path, folder: Path, half: int) -> Path:
    """A copy of the image folders beside which a half's manifest can stand."""
    target = folder / f"half-{half}"
    target.mkdir()
    for entry in manifest.parent.iterdir():
        if entry.is_dir():
            shutil.copytree(entry, target / entry.name)
    return target


def main() -> int:
    """Import, split, freeze, launch, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--patients", type=int, help="only the first N patients of the manifest")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--preset", default="cpu-quick")
    parser.add_argument("--keep", type=Path, help="data folder to keep, for looking at the results in the browser")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cemlab-real-pairs-"))
    data = arguments.keep.resolve() if arguments.keep else folder / "data"
    os.environ["CEMLAB_DATA"] = str(data)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    os.environ.setdefault("CEMLAB_LOG_LEVEL", "WARNING")
    import django

    django.setup()
    try:
        print(json.dumps(experiment(arguments, folder), indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def experiment(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole way, with the ordinary services and in this process."""
    from django.core.management import call_command

    from webapp.accounts.models import Project, Role
    from webapp.cases.models import Exam, Image
    from webapp.cases.selectors import exams_of
    from webapp.datasets import services as datasets
    from webapp.datasets.splitting import SplitSettings
    from webapp.demo import contents
    from webapp.experiments import services as experiments
    from webapp.experiments.design import ArmDesign, ExperimentDesign
    from webapp.jobs.execution import run_all_here
    from webapp.results.selectors import summary

    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    manifests = halves(arguments.manifest, arguments.patients, folder)
    for site, manifest in zip(("internal", "external"), manifests, strict=True):
        call_command("import_pairs", str(manifest), project="real-pairs", site=site, stdout=sys.stderr)
    imported = time.perf_counter() - started
    people = contents.people()
    project = Project.objects.get(slug="real-pairs")
    for role, user in people.items():
        project.memberships.get_or_create(user=user, defaults={"role": role})
    curator = people[Role.CURATOR]
    version = datasets.create_dataset(actor=curator, project=project, name="Real pairs")
    datasets.add_exams(actor=curator, version=version, exams=list(exams_of(curator, project)))
    datasets.draw(actor=curator, version=version, settings=SplitSettings(external_sites=("external",)))
    version = datasets.freeze(actor=curator, version=version)
    arms = tuple(
        ArmDesign(f"{ratio:.0%}", arguments.preset, ratio, ratio, {"epochs": arguments.epochs})
        for ratio in contents.RATIOS
    )
    frozen = experiments.freeze(
        actor=people[Role.RESEARCHER],
        project=project,
        version=version,
        design=ExperimentDesign(
            name="Real pairs, 0 / 100 / 200 %",
            hypothesis="More synthetic clusters in training raise the sensitivity for malignant clusters.",
            primary_endpoint="sensitivity:malignant_cluster:internal_test",
            arms=arms,
        ),
    )
    launched = experiments.launch(actor=people[Role.RESEARCHER], experiment=frozen)
    jobs = run_all_here()
    launched.refresh_from_db()
    batch = launched.batch
    return {
        "imported": {
            "patients": project.patients.count(),
            "exams": Exam.objects.filter(project=project).count(),
            "images": Image.objects.filter(view__exam__project=project, view__variant=0).count(),
            "seconds": round(imported, 1),
        },
        "split": datasets.selectors.split_counts(version),
        "simulation": batch.summary if batch else None,
        "jobs": [
            {
                "name": job.name,
                "state": job.state,
                "seconds": (job.ended - job.started).total_seconds() if job.ended and job.started else None,
                "error": job.error,
            }
            for job in jobs
        ],
        "results": summary(launched),
    }


if __name__ == "__main__":
    sys.exit(main())
