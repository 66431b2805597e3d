"""Settings from the environment; every variable is listed in docs/configuration.md.

The default is the embedded set-up (SQLite, file broker, local files). `DATABASE_URL` and `CELERY_BROKER_URL`
switch to PostgreSQL and Redis without a change in code.
"""

from __future__ import annotations

from pathlib import Path

import environ

ROOT = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

DATA_ROOT = Path(env.str("CEMLAB_DATA", default=str(ROOT / "var"))).resolve()
"""Everything the application writes: database (embedded), images, runs, broker, secret key."""
FILES_ROOT = DATA_ROOT / "files"

DEBUG = env.bool("CEMLAB_DEBUG", default=False)


def _secret(name: str) -> str:
    """A secret of this installation: from the environment, else created once under the data folder."""
    from webapp.settings.secrets import installation_secret

    return env.str(name, default="") or installation_secret(DATA_ROOT, name)


SECRET_KEY = _secret("CEMLAB_SECRET_KEY")
DEIDENTIFICATION_SECRET = _secret("CEMLAB_DEIDENTIFICATION_SECRET")

ALLOWED_HOSTS = env.list("CEMLAB_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CEMLAB_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "webapp.core",
    "webapp.accounts",
    "webapp.jobs",
    "webapp.cases",
    "webapp.annotations",
    "webapp.datasets",
    "webapp.simulations",
    "webapp.experiments",
    "webapp.registry",
    "webapp.results",
    "webapp.viewer",
    "webapp.reviews",
    "webapp.api",
    "webapp.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webapp.core.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.core.context.page",
            ],
            "loaders": [("django.template.loaders.cached.Loader", ["django.template.loaders.filesystem.Loader"])]
            if not DEBUG
            else ["django.template.loaders.filesystem.Loader"],
            "libraries": {"cemlab": "webapp.core.templatetags.cemlab"},
        },
    }
]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_ROOT / 'cemlab.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE and WAL: measured 0 "database is locked" where the defaults had thousands (docs/decisions/0003).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
            "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=2000;"
        ),
    }
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # an experiment of six arms has some 300 derived numbers; Django's 300 would lose them while they are read
        "OPTIONS": {"MAX_ENTRIES": 4000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "accounts:projects"
LOGOUT_REDIRECT_URL = "accounts:sign-in"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.str("CEMLAB_TIME_ZONE", default="UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "static" / "dist" / "collected"
STATICFILES_DIRS = [
    (name, ROOT / "static" / "dist" / name) for name in ("app", "viewer") if (ROOT / "static" / "dist" / name).is_dir()
]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(FILES_ROOT)},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("CEMLAB_HTTPS", default=False)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("CEMLAB_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
DATA_UPLOAD_MAX_NUMBER_FILES = 20_000

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="")
"""Empty: messages go through files under the data folder (see webapp/jobs/broker.py)."""

JOB_LEASE_SECONDS = env.float("CEMLAB_JOB_LEASE", default=60.0)
"""A worker that has not renewed its lease for so long is taken for dead."""
JOB_MAX_ATTEMPTS = env.int("CEMLAB_JOB_ATTEMPTS", default=3)
JOB_POLL_SECONDS = env.float("CEMLAB_JOB_POLL", default=1.0)
"""How often a worker looks for a cancel flag, the reaper for lost jobs, and the event stream for changes."""
JOB_RESEND_SECONDS = env.float("CEMLAB_JOB_RESEND", default=20.0)
"""A queued job whose message is older than this is sent again."""
JOB_STOP_GRACE_SECONDS = env.float("CEMLAB_JOB_GRACE", default=60.0)
"""From the request to stop (SIGTERM, write a checkpoint) to the end by force."""
JOB_STREAM_PING_SECONDS = env.float("CEMLAB_JOB_STREAM_PING", default=15.0)
"""How often an event stream shows that it is alive and looks whether its reader is still signed in."""
PREPARED_VIEWS = DATA_ROOT / "cache" / "prepared"
"""Views prepared for training, shared by all runs; may be emptied at any time."""
PREPARED_VIEWS_BYTES = int(env.float("CEMLAB_PREPARED_GIGABYTES", default=50.0) * 1e9)
JOB_EXTRA_MODULES = env.list("CEMLAB_EXTRA_JOB_MODULES", default=[])
"""Modules with further job kinds, besides `jobs.py` of every installed app."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CEMLab",
    "DESCRIPTION": "Cases, datasets, experiments and results of contrast-enhanced mammography projects.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "JobStateEnum": "webapp.jobs.models.JobState",
        "RunStateEnum": "webapp.experiments.models.RunState",
        "VersionStateEnum": "webapp.datasets.models.DatasetVersion.State",
        "MalignancyEnum": "webapp.annotations.models.Malignancy",
        "ModelStageEnum": "webapp.registry.models.Stage",
        "HistoryKindEnum": "webapp.registry.models.HistoryEntry.Kind",
        "ReviewKindEnum": "webapp.reviews.models.ReviewQueue.Kind",
        "ReviewReasonEnum": "webapp.reviews.models.Reason",
        "AnswerStateEnum": "webapp.reviews.models.Answer.State",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("CEMLAB_LOG_LEVEL", default="INFO")},
    "loggers": {"django.request": {"level": "ERROR"}},
}
