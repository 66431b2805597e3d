"""What the cases page costs with 20 000 exams: queries, and CPU time on top of the same SQL run bare.

    python benchmarks/cases_page.py [--exams 20000] [--repeats 7]

Makes a temporary database of the engine that ``DATABASE_URL`` names (SQLite where it is unset), fills it, and prints
one JSON object. The page is asked for through Django's whole stack (session, permissions, frame); then the statements
it sent are executed again on a bare cursor, rows fetched. CPU time is of this process (`time.process_time`), so with
PostgreSQL the server's own time counts in neither. Medians over the repeats; the first request warms the caches.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ADDRESSES = {
    "first page": "",
    "filtered and sorted": "?site=A&lesion=cluster-malignant&sort=-patient&page=2",
    "images": "?layout=images&kind=recombined",
}


def fill(exams: int) -> str:
    """One project with `exams` exams of four views each; returns its slug."""
    from django.db import connection

    from webapp.accounts.models import Membership, Project, User
    from webapp.annotations import classes
    from webapp.annotations.models import Lesion
    from webapp.cases import matrix
    from webapp.cases.models import Exam, Image, ImageKind, Patient, Site, View

    rng = random.Random(0)
    project = Project.objects.create(slug="large", name="Large")
    user = User.objects.create_user("reader")
    Membership.objects.create(project=project, user=user, role="curator")
    sites = [Site.objects.create(project=project, code=code) for code in "ABC"]
    patients = Patient.objects.bulk_create(
        [
            Patient(
                project=project, site=rng.choice(sites), pseudonym=f"P-{number:08d}", source_key=f"{number:064d}",
                age=rng.randint(35, 85),
            )
            for number in range(exams)
        ],
        batch_size=1000,
    )  # fmt: skip
    chosen = [rng.choice(classes.CLASSES[:6]) if rng.random() < 0.7 else None for _ in range(exams)]
    made = Exam.objects.bulk_create(
        [
            Exam(
                project=project, patient=patient, number=number + 1, source_key=f"{number:064d}", complete=True,
                cells=matrix.ALL, lesion_classes=classes.bits([chosen[number]]) if chosen[number] else 0,
            )
            for number, patient in enumerate(patients)
        ],
        batch_size=1000,
    )  # fmt: skip
    for start in range(0, exams, 2000):
        part = made[start : start + 2000]
        views = View.objects.bulk_create(
            [View(exam=exam, laterality=side, position=position) for exam in part for side, position in matrix.VIEWS]
        )
        Image.objects.bulk_create(
            [
                Image(
                    view=view, kind=kind, file=f"images/{view.pk}-{kind}", thumbnail=f"thumbnails/{view.pk}-{kind}",
                    format="png", source_hash=f"{view.pk}-{kind}", sha256="0" * 64, rows=100, columns=80,
                    bits_stored=8, window_low=0, window_high=255,
                )
                for view in views
                for kind in ImageKind.values
            ],
            batch_size=1000,
        )  # fmt: skip
        Lesion.objects.bulk_create(
            [
                Lesion(exam=exam, laterality="R", number=1, lesion_type=one[0], malignancy=one[1])
                for exam, one in zip(part, chosen[start : start + 2000], strict=True)
                if one
            ]
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return project.slug


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """Median CPU time of this process, ms."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        times.append(1000 * (time.process_time() - begun))
    return statistics.median(times)


def measure(slug: str, address: str, repeats: int) -> dict[str, Any]:
    """Queries and CPU of one address."""
    from django.db import connection
    from django.test import Client

    from webapp.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(username="reader"))
    url = f"/{slug}/cases/{address}"
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    response = client.get(url)
    assert response.status_code == 200, response.status_code
    with connection.execute_wrapper(note):
        client.get(url)

    def bare() -> None:
        with connection.cursor() as cursor:
            for sql, params in sent:
                cursor.execute(sql, params)
                if cursor.description:
                    cursor.fetchall()

    page, alone = cpu_ms(lambda: client.get(url), repeats), cpu_ms(bare, repeats)
    return {
        "address": url,
        "queries": len(sent),
        "page_cpu_ms": round(page, 1),
        "bare_sql_cpu_ms": round(alone, 1),
        "difference_ms": round(page - alone, 1),
        "response_bytes": len(response.content),
    }


def main() -> int:
    """Make the database, measure, print, remove."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exams", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    folder = tempfile.mkdtemp(prefix="cemlab-benchmark-")
    os.environ["CEMLAB_DATA"] = folder
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
    try:
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection
        from django.test.utils import setup_test_environment

        setup_test_environment()
        settings.DATABASES["default"].setdefault("TEST", {})
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / "benchmark.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            begun = time.perf_counter()
            slug = fill(options.exams)
            result = {
                "engine": connection.vendor,
                "exams": options.exams,
                "fill_seconds": round(time.perf_counter() - begun, 1),
                "pages": {name: measure(slug, address, options.repeats) for name, address in ADDRESSES.items()},
            }
        finally:
            connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
