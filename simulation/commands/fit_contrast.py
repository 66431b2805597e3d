"""``python -m simulation fit-contrast``: the enhancement of annotated lesions, to replace the prior."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simulation.commands.measured_lesions import annotated, write_once
from simulation.enhancement import FORMS
from simulation.fits import CONTRAST_SCHEMA, fit_contrasts


def register(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("fit-contrast", help="measure the enhancement of annotated lesions")
    parser.add_argument("--lesions", type=Path, required=True, help="CSV list, see docs/formats/lesions.md")
    parser.add_argument("--form", choices=FORMS, default="ratio", help="in which simulations shall draw")
    parser.add_argument("--out", type=Path, required=True, help="JSON for --contrast of insert and batch")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    unread: list[dict[str, str]] = []
    fits, refused = fit_contrasts(annotated(options.lesions, "recombined", unread))
    left_out = unread + [{"lesion": item.name, "reason": item.reason} for item in refused]
    body: dict[str, Any] = {"schema": CONTRAST_SCHEMA, "form": options.form, "left_out": left_out}
    for malignancy, fit in fits.items():
        body[malignancy] = fit.to_json(options.form)
        median = "nothing measured" if fit.median is None else f"median ratio {fit.median}"
        source = "prior" if fit.distribution(options.form).is_prior else "measured"
        print(f"{malignancy}: {len(fit.measured)} lesions of {fit.patients} patients, {median}; {source} distribution")
    for item in left_out:
        print(f"left out: {item['lesion']}: {item['reason']}")
    write_once(options.out, body)
    return 0
