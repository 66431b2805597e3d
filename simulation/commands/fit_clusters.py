"""``python -m simulation fit-clusters``: the calcifications of annotated clusters, to replace the priors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simulation.commands.measured_lesions import annotated, write_once
from simulation.fits import CLUSTER_SCHEMA, DETECTED_SHARE, fit_clusters


def register(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("fit-clusters", help="measure the calcifications of annotated clusters")
    parser.add_argument("--lesions", type=Path, required=True, help="CSV list, see docs/formats/lesions.md")
    parser.add_argument(
        "--detected-share",
        type=float,
        default=DETECTED_SHARE,
        help="share of a plan's calcifications that the measurement finds; counts are divided by it",
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON for --clusters of insert and batch")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    unread: list[dict[str, str]] = []
    lesions = annotated(options.lesions, "low_energy", unread)
    fits, refused = fit_clusters(lesions, detected_share=options.detected_share)
    left_out = unread + [{"lesion": item.name, "reason": item.reason} for item in refused]
    body: dict[str, Any] = {"schema": CLUSTER_SCHEMA, "left_out": left_out, "measured": {}}
    for malignancy, fit in fits.items():
        body[malignancy] = fit.parameters.to_json()
        body["measured"][malignancy] = fit.to_json()
        source = "prior" if fit.is_prior else "measured"
        print(f"{malignancy}: {len(fit.measured)} clusters of {fit.patients} patients; {source} parameters")
        for name, value in fit.medians.items():
            print(f"   median {name}: {value}")
    for item in left_out:
        print(f"left out: {item['lesion']}: {item['reason']}")
    write_once(options.out, body)
    return 0
