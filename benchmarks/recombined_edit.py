"""Does the recombined edit reach its contrast, keep the noise and leave no trace? On phantoms and on real pairs.

Ellipses inside the breast are edited with contrasts drawn from the prior. Printed are the difference of realised and
requested contrast, the Kolmogorov-Smirnov p of the two, the noise inside the mask after over before (Immerkaer), and
the one-feature AUC of edited against untouched for both blends; places are the same on both sides, so that 0.5 is
exact. The literal blend is the negative control. Real images: ``cem-pairs-1024`` in ``CEM_SHARED_DATA``, if there.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.recombined_edit [--each 30]``
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from imaging.breast import breast_mask
from imaging.reading import read_pixels
from simulation.enhancement import ContrastDistribution
from simulation.phantom import phantom_patient
from simulation.realism.classifier_test import auc, null_half_width
from simulation.realism.shortcuts import shortcut_features
from simulation.recombined_edit import EditSettings, enhance

FEATURES = ("noise level", "missing grey codes", "odd grey values", "border gradient")
LIMITS = (0.97, 1.03)


def main() -> int:
    """Exit status 1 if a contrast is missed or the median noise ratio leaves 0.97-1.03."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--each", type=int, default=30, help="edits of each image")
    each = parser.parse_args().each
    phantoms = [
        phantom_patient(seed=seed, site="AB"[seed % 2], size="small", views=(("L", "CC"),))[0].pair.recombined
        for seed in range(20, 28)
    ]
    passed = measure("phantoms", phantoms, each)
    folder = Path(os.environ.get("CEM_SHARED_DATA", "../shared/data")) / "cem-pairs-1024"
    real = [read_pixels(path).pixels for path in sorted(folder.rglob("*_RE.png"))]
    if not real:
        print(f"{folder.name} is not there: set CEM_SHARED_DATA; real pairs are not measured")
        return int(not passed)
    return int(not (measure("real pairs, 8 bit", real, each) and passed))


def measure(title: str, images: list[NDArray[Any]], each: int) -> bool:
    """Edit and print; returns whether contrast and noise are within their limits."""
    rng = np.random.default_rng(0)
    requested, realised, reached, noise, untouched = [], [], [], [], []
    rows: dict[str, list[dict[str, float]]] = {"untouched": [], "gain": [], "literal": []}
    for image in images:
        inner = ndimage.distance_transform_edt(breast_mask(image)) > 50
        places = np.argwhere(inner)
        for number in range(each if len(places) else 0):
            mask = ellipse(image.shape, places[rng.integers(len(places))], rng)
            contrast = ContrastDistribution.prior("malignant" if number % 2 else "benign").sample(rng)
            rows["untouched"].append(shortcut_features(image, mask))
            for blend in ("gain", "literal"):
                done = enhance(
                    image,
                    mask,
                    contrast,
                    maximum=255 if image.dtype == np.uint8 else 4095,
                    settings=EditSettings(blend, heterogeneity=0.25, rim=number % 5 == 0),
                    rng=np.random.default_rng(number),
                    rounding=np.random.default_rng(10_000 + number),
                )
                rows[blend].append(shortcut_features(done.image, mask))
                if blend == "gain":
                    requested.append(contrast)
                    realised.append(done.realised)
                    reached.append(done.reached)
                    untouched.append(done.brighter_before)
                    noise.append(np.exp(rows[blend][-1]["noise level"] - rows["untouched"][-1]["noise level"]))
    away = np.abs(np.array(requested) - realised)[~np.array(untouched)]
    low, middle, high = np.percentile(noise, [2.5, 50, 97.5])
    print(f"{title}: {len(requested)} edits of {len(images)} images")
    kept = ~np.array(untouched)
    of_all = stats.ks_2samp(requested, realised, method="asymp").pvalue
    edited = stats.ks_2samp(np.array(requested)[kept], np.array(realised)[kept], method="asymp").pvalue
    print(f"   left as it is, because the host is brighter already: {1 - kept.mean():.1%}; KS p of all {of_all:.3f}")
    print(
        f"   others: |realised - requested| median {np.median(away):.4f}, largest {away.max():.4f}, reached "
        f"{np.mean(reached):.1%}, KS p {edited:.3f}"
    )
    print(f"   noise inside after / before: median {middle:.3f}, 2.5-97.5 % {low:.3f}-{high:.3f}")
    for name in FEATURES:
        found = {kind: np.array([row[name] for row in side]) for kind, side in rows.items()}
        areas = [auc(found["untouched"], found[blend]) for blend in ("gain", "literal")]
        gain, literal = (max(area, 1 - area) for area in areas)
        band = null_half_width(len(requested), len(requested))
        print(f"   {name}: AUC gain {gain:.3f}, literal {literal:.3f} (independent null 0.5 + {band:.3f})")
    return bool(np.all(reached)) and LIMITS[0] <= middle <= LIMITS[1]


def ellipse(shape: tuple[int, ...], centre: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of 10 to 32 pixels radius around (row, column)."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    radius, width = rng.uniform(10, 32), rng.uniform(0.6, 1)
    return np.asarray(((columns - centre[1]) / width) ** 2 + (rows - centre[0]) ** 2 <= radius**2, dtype=bool)


if __name__ == "__main__":
    sys.exit(main())
