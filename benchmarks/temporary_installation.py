"""Data folder and database of their own for benchmarks of the web application; both end with the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def temporary_installation() -> Iterator[None]:
    """Set Django up on an empty folder and a database with all tables; import its models only inside."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings.test")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CEMLAB_DATA"] = folder
        import django

        django.setup()
        from django.test.utils import setup_databases, setup_test_environment

        setup_test_environment()
        setup_databases(verbosity=0, interactive=False)
        yield
