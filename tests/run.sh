#!/usr/bin/env bash
# What `make test` runs after set-up: checks first, then the suite, fast tests before slow ones.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS=1
ruff format --check --quiet . || { echo "Run: .venv/bin/ruff format ."; exit 1; }
ruff check --quiet .
lint-imports --no-cache >/tmp/lint-imports.$$ 2>&1 || { cat /tmp/lint-imports.$$; exit 1; }
rm -f /tmp/lint-imports.$$
mypy --no-error-summary imaging simulation detection webapp
python manage.py makemigrations --check --dry-run >/dev/null || { echo "A migration is missing: python manage.py makemigrations"; exit 1; }
python static/build.py --check
# Everything on the embedded set-up, slow tests included; then the records and pages on PostgreSQL and Redis.
# The browser tests have processes of their own: Playwright keeps an event loop running in the thread it is used in.
if [ -n "${CEMLAB_PYTEST_ARGS:-}" ]; then
  pytest ${CEMLAB_PYTEST_ARGS}
else
  pytest -n 2 --dist loadfile --ignore=tests/browser
  pytest -n 2 --dist loadfile tests/browser
  python -m tests.with_production_services pytest -n 2 --dist loadfile -m "not slow" tests/webapp
fi
