"""Settings of the test suite: a data folder of its own, fast password hashing, everything else as shipped."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile

import webapp.settings

if "CEMLAB_DATA" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="cemlab-test-")
    os.environ["CEMLAB_DATA"] = _folder
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    # The package was read before this module, with the folder of an installation.
    importlib.reload(webapp.settings)

from webapp.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
LOGGING = LOGGING | {"root": {"handlers": ["console"], "level": "WARNING"}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, because live servers, workers and job processes open the same database.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_ROOT / "test.sqlite3")}
