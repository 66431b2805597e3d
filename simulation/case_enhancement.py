"""The recombined image of one case: which contrast, which form of lesion, and what the record says about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulation.attempt import Attempt, Stream
from simulation.calcification import Malignancy
from simulation.enhancement import ContrastDistribution
from simulation.errors import InvalidSettings, UnusableInput
from simulation.host import Host
from simulation.placement import Placement
from simulation.recombined_edit import EditSettings, Enhancement, calcification_trace, edge_sigma, enhance
from simulation.settings import SimulationSettings


def enhance_case(
    host: Host,
    attempt: Attempt,
    malignancy: Malignancy,
    settings: SimulationSettings,
    contrast: ContrastDistribution | None,
    partner: Placement | None,
    stream: Stream,
) -> tuple[Enhancement, bool, dict[str, Any]]:
    """Draw the contrast of the class and apply it; the second view of a lesion follows its partner.

    Returns
    -------
    enhancement : Enhancement
    rim : bool
        Whether the lesion has a rim.
    record : dict
        JSON-ready.

    Raises
    ------
    InvalidSettings
        If iodine or the trace of calcifications is asked for on a system whose gain is not known.
    UnusableInput
        If the recombined image holds no tissue inside or around the outline.
    """
    distribution = contrast or ContrastDistribution.prior(malignancy)
    wanted = partner.contrast if partner else distribution.sample(stream("contrast"))
    form = partner.contrast_form if partner else distribution.form
    if partner:
        rim = partner.rim
    else:
        rim = malignancy == "malignant" and bool(stream("rim").random() < settings.rim_probability)
    # the paper's 5 pixels are 0.5 mm on its detectors
    sigma = max(settings.smoothing_px * 0.1 / host.spacing_mm, 1.0)
    edit = EditSettings(settings.blend, sigma, settings.enhancement_heterogeneity, rim)
    ghost = None
    if settings.rc_calc_residual:
        if host.profile.recombined_gain is None:
            raise InvalidSettings(
                f"rc_calc_residual needs the gain of the recombined image, which is not known for {host.profile.key}; "
                "switch it off"
            )
        row0, row1, column0, column1 = attempt.insertion.region
        trace = calcification_trace(attempt.insertion.layer.tau, host.profile, host.spacing_mm)
        ghost = ((slice(row0, row1), slice(column0, column1)), trace)
    mask = attempt.outline.mask
    on = settings.insertion == "on"  # a control keeps in its placement what was drawn, and shows none of it
    try:
        done = enhance(
            host.recombined,
            mask,
            wanted if on else None,
            maximum=host.maximum,
            settings=edit,
            rng=stream("enhancement"),
            rounding=stream("enhancement", "rounding"),
            form=form,
            profile=host.profile,
            ghost=ghost if on else None,
            codes=host.recombined_codes,
        )
    except ValueError as error:
        raise UnusableInput(
            f"the recombined image is empty where the cluster lies ({error}); check that the pair is complete"
        ) from error
    used = edge_sigma(mask, sigma) if edit.blend == "gain" else sigma
    record = {
        "distribution": "prior" if distribution.is_prior else distribution.to_json(),
        "from_partner": partner is not None,
        "form": form,
        "requested": wanted,
        "requested_ratio": done.requested_ratio,
        "realised": done.realised,
        "reached": done.reached,
        "brighter_before": done.brighter_before,
        "before": done.before.to_json(),
        "after": done.after.to_json(),
        "added_level": done.added_level,
        "calcification_trace": settings.rc_calc_residual,
        **asdict(edit),
        "sigma_px": used,
        "sigma_mm": used * host.spacing_mm,
    }
    return done, rim, record


def enhancement_warnings(settings: SimulationSettings, enhancement: Enhancement) -> list[str]:
    """What a user of the case should know about its recombined image."""
    found = []
    if settings.blend == "literal":
        found.append(
            "blend literal smooths the recombined image inside the mask: the missing noise marks every synthetic lesion"
        )
    elif not enhancement.reached:
        found.append(
            f"the recombined contrast is {enhancement.realised:.3f} and {enhancement.requested_ratio:.3f} was asked for"
        )
    return found
