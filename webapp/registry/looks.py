"""Where higher apps learn that a person opened findings on the test sets of a model's own experiment."""

from __future__ import annotations

from collections.abc import Callable

from webapp.accounts.models import User
from webapp.core.registry import Registry
from webapp.experiments.models import Experiment

look_counters: Registry[Callable[[User, Experiment, str], None]] = Registry("counters of looks at test sets")
"""`count(person, experiment, part)`; `part` says what was opened, in a word or two."""
