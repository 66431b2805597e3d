"""Direct insertion in the For-Presentation image against calcifications ray-traced through the whole chain.

Full-size phantoms of both sites (0.1 mm pixels). Isolated calcifications of both classes, half of them compared by a
classifier with the other half inserted directly; peaks are compared at the same places. Prints, for the known display
curve (`lut`), the one estimated from the noise with 10 % uncertainty of the dose (`noise`), and mis-specified systems:
peak error, Kolmogorov-Smirnov and Wasserstein distance of the peaks, and the AUC of two classifiers with its null band.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.insertion_oracle [--images 12] [--each 52]``
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simulation.calcification import Calcification, Malignancy, draw_calcification
from simulation.calibration import Calibration, calibrate
from simulation.cluster_plan import draw_plan, particle_morphology
from simulation.insertion import insert_calcifications
from simulation.phantom.patient import Site
from simulation.phantom.presentation import MAXIMUM
from simulation.phantom.ray_traced import Scene, isolated_places, phantom_scene, ray_traced
from simulation.randomness import generator
from simulation.vendor import VendorProfile

BOUNDS = {"lut": (0.02, 0.06), "noise": (0.15, 0.35)}
DOSE_UNCERTAINTY = 0.10
HALF_PATCH = 8
REACH = 340


@dataclass(frozen=True, eq=False)
class Trial:
    """One phantom with its calcifications, exposed and not."""

    scene: Scene
    host: NDArray[np.uint16]
    traced: NDArray[np.uint16]
    particles: list[Calcification]


def draw_particles(scene: Scene, count: int, rng: np.random.Generator) -> list[Calcification]:
    """Isolated calcifications of both classes; the packing of each is part of its density."""
    particles = []
    for index, (row, column) in enumerate(isolated_places(scene, count, rng)):
        malignancy: Malignancy = "malignant" if index % 4 < 2 else "benign"
        plan = draw_plan(rng, malignancy)
        particle = draw_calcification(
            rng,
            malignancy,
            x=float(column) + float(rng.uniform()),
            y=float(row) + float(rng.uniform()),
            morphology=particle_morphology(rng, plan, malignancy),
            comedo=plan.comedo,
        )
        particles.append(dataclasses.replace(particle, density=particle.density * float(rng.uniform(0.45, 0.80))))
    return particles


def trial(index: int, each: int) -> Trial:
    """Phantom number `index`: sites and views take turns."""
    site: Site = "A" if index % 2 == 0 else "B"
    scene = phantom_scene(seed=5000 + index, site=site, view="CC" if index % 4 < 2 else "MLO")
    particles = draw_particles(scene, 2 * each, generator(index, "oracle", "particles"))
    return Trial(scene, scene.low_energy(), ray_traced(scene, particles, packing=1.0), particles)


def insert_directly(
    done: Trial, profile: VendorProfile, calibration: Calibration, *, noise: bool, seed: int = 0
) -> NDArray[np.uint16]:
    """The host with all particles inserted one after the other, each in its own window."""
    image = done.host.copy()
    rng = generator(seed, "oracle", "noise")
    for particle in done.particles:
        row, column = max(int(particle.y) - REACH, 0), max(int(particle.x) - REACH, 0)
        window = (slice(row, int(particle.y) + REACH), slice(column, int(particle.x) + REACH))
        made = insert_calcifications(
            image[window],
            [dataclasses.replace(particle, x=particle.x - column, y=particle.y - row)],
            maximum=MAXIMUM,
            profile=profile,
            spacing_mm=done.scene.spacing_mm,
            packing=1.0,
            calibration=calibration,
            rng=rng,
            noise_consistency=noise,
        )
        image[window] = made.image
    return image


def noise_calibration(done: Trial, index: int) -> Calibration:
    """Calibration of a host whose display curve is not known and whose dose is known to 10 %."""
    error = float(np.exp(DOSE_UNCERTAINTY * generator(index, "oracle", "dose").standard_normal()))
    blind = dataclasses.replace(done.scene.profile, display_width=None, quanta=done.scene.profile.quanta * error)
    return calibrate(done.host, done.scene.form.mask, MAXIMUM, blind, done.scene.spacing_mm, kind="noise")


def peaks(image: NDArray[np.uint16], done: Trial) -> NDArray[np.float64]:
    """Largest grey difference to the host near each particle."""
    change = image.astype(np.float64) - done.host
    return np.array([change[_window(p, 4)].max() for p in done.particles])


def features(image: NDArray[np.uint16], particle: Calcification) -> list[float]:
    """Twelve numbers of a spot and its surroundings."""
    patch = image[_window(particle, HALF_PATCH)].astype(np.float64)
    core = patch[4:13, 4:13]
    border = np.concatenate([patch[:3].ravel(), patch[-3:].ravel(), patch[3:-3, :3].ravel(), patch[3:-3, -3:].ravel()])
    level, peak = border.mean(), core.max()
    down, right = np.gradient(patch)
    slope = np.hypot(down, right)[4:13, 4:13]
    standard = (patch - patch.mean()) / max(float(patch.std()), 0.5)
    return [
        peak - level,
        (peak - level) / max(float(border.std()), 0.5),
        float((core > level + 0.5 * (peak - level)).sum()),
        slope.max(),
        slope.mean(),
        core.std(),
        border.std(),
        core.mean() - level,
        np.abs(ndimage.laplace(patch))[5:12, 5:12].max(),
        level,
        float((standard**3).mean()),
        float((standard**4).mean()),
    ]


def two_sample_auc(truth: NDArray[Any], direct: NDArray[Any], groups: NDArray[Any]) -> dict[str, float]:
    """Cross-validated AUC of both classifiers, folds by image; `groups` holds the images of both sides."""
    samples = np.concatenate([truth, direct])
    labels = np.r_[np.zeros(len(truth), int), np.ones(len(direct), int)]
    folds = GroupKFold(min(5, len(np.unique(groups))))
    classifiers = {
        "random_forest": RandomForestClassifier(300, min_samples_leaf=5, random_state=0),
        "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
    }
    result = {}
    for name, classifier in classifiers.items():
        scores = cross_val_predict(classifier, samples, labels, groups=groups, cv=folds, method="predict_proba")
        result[name] = float(roc_auc_score(labels, scores[:, 1]))
    return result


def null_half_width(count: int) -> float:
    """Half width of the 95 % band of the AUC of a classifier that sees no difference, `count` a side."""
    return float(1.96 * np.sqrt((2 * count + 1) / (12 * count**2)))


def run(images: int, each: int) -> dict[str, Any]:
    """All rows of the comparison."""
    spots: dict[str, list[list[float]]] = {}
    heights: dict[str, list[float]] = {}
    widths, groups = [], []
    for index in range(images):
        done = trial(index, each)
        profile = done.scene.profile
        truth_places, direct_places = done.particles[::2], done.particles[1::2]
        groups += [index] * len(direct_places)
        heights.setdefault("truth", []).extend(peaks(done.traced, done))
        for name, places in (("truth", truth_places[: len(direct_places)]), ("truth again", direct_places)):
            spots.setdefault(name, []).extend(features(done.traced, particle) for particle in places)
        for name, assumed, calibration in rows(done, index):
            expected = insert_directly(done, assumed, calibration, noise=False)
            heights.setdefault(name, []).extend(peaks(expected, done))
            drawn = insert_directly(done, assumed, calibration, noise=True, seed=index)
            spots.setdefault(name, []).extend(features(drawn, particle) for particle in direct_places)
            if name == "noise":
                widths.append(calibration.width / float(profile.display_width or np.nan))
        print(f"image {index + 1} of {images}: {len(done.particles)} calcifications", file=sys.stderr, flush=True)
    truth, both = np.array(heights.pop("truth")), np.r_[groups, groups]
    first = np.array(spots.pop("truth"))
    table: dict[str, Any] = {"truth again": {"auc": two_sample_auc(first, np.array(spots["truth again"]), both)}}
    for name, direct in heights.items():
        error = np.array(direct) / truth - 1
        table[name] = {
            "peak_error_median": float(np.median(error)),
            "peak_error_median_absolute": float(np.median(np.abs(error))),
            "peak_error_p95": float(np.percentile(np.abs(error), 95)),
            "ks": float(stats.ks_2samp(truth, direct).statistic),
            "wasserstein_over_sd": float(stats.wasserstein_distance(truth, direct) / truth.std()),
            "auc": two_sample_auc(first, np.array(spots[name]), both),
        }
    return {
        "images": images,
        "calcifications": len(truth),
        "a_side": len(groups),
        "null_half_width": null_half_width(len(groups)),
        "noise_width_over_true": {"median": float(np.median(widths)), "range": [min(widths), max(widths)]},
        "rows": table,
    }


def rows(done: Trial, index: int) -> Iterator[tuple[str, VendorProfile, Calibration]]:
    """Name, assumed system and calibration of each row."""
    profile = done.scene.profile
    known = Calibration("lut", float(profile.display_width or 0))
    yield "lut", profile, known
    yield "noise", profile, noise_calibration(done, index)
    for share in (-0.15, 0.15):
        points = [point * (1 + share) for point in profile.mtf]
        yield f"mtf {share:+.0%}", dataclasses.replace(profile, mtf=(points[0], points[1], points[2])), known
    for share in (-0.30, 0.30):
        changed = dataclasses.replace(profile, enhancement_gain=profile.enhancement_gain * (1 + share))
        yield f"enhancement {share:+.0%}", changed, known
    yield "pixel size wrong", pixel_size_bug(profile), known


def pixel_size_bug(profile: VendorProfile) -> VendorProfile:
    """The MTF read at twice the frequency, as when 0.1 mm pixels are taken for 0.05 mm: negative control."""
    power, offset = np.polyfit(np.log([1.0, 2.0, 4.0]), np.log(-np.log(np.array(profile.mtf))), 1)
    at: dict[Literal[2, 4, 8], float] = {f: float(np.exp(-np.exp(offset) * f**power)) for f in (2, 4, 8)}
    return dataclasses.replace(profile, mtf=(at[2], at[4], at[8]), pixel_mm=2 * profile.pixel_mm)


def _window(particle: Calcification, half: int) -> tuple[slice, slice]:
    row, column = int(particle.y), int(particle.x)
    return slice(row - half, row + half + 1), slice(column - half, column + half + 1)


def main() -> int:
    """Exit status 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--each", type=int, default=52, help="calcifications of one image and side")
    arguments = parser.parse_args()
    started = time.process_time()
    result = run(arguments.images, arguments.each)
    result["cpu_seconds"] = round(time.process_time() - started, 1)
    print(json.dumps(result, indent=1))
    missed = [
        name
        for name, (median, tail) in BOUNDS.items()
        if result["rows"][name]["peak_error_median_absolute"] > median or result["rows"][name]["peak_error_p95"] > tail
    ]
    for name in BOUNDS:
        missed += [
            f"{name} {kind}"
            for kind, auc in result["rows"][name]["auc"].items()
            # a cross-validated AUC under 0.5 tells nothing apart: errors of the calibration differ in sign between
            # images, so what was learnt on some is wrong on others
            if auc - 0.5 > result["null_half_width"]
        ]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
