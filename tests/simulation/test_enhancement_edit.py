"""The edit of the recombined image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from simulation.case import simulate
from simulation.enhancement import ContrastDistribution, measure_contrast, measure_enhancement
from simulation.errors import InvalidSettings
from simulation.phantom import PhantomView, phantom_patient
from simulation.recombined_edit import EditSettings, Enhancement, calcification_trace, enhance
from simulation.settings import SimulationSettings
from simulation.vendor import PROFILES, profile_of

EIGHT_BIT, TWELVE_BIT = (100, 4.0, 255, np.uint8), (2000, 30.0, 4095, np.uint16)
_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])


def noisy_image(seed: int = 0, kind=TWELVE_BIT) -> np.ndarray:
    level, noise, _, dtype = kind
    shading = 0.02 * level * np.sin(np.arange(200) / 40)[None]
    return np.rint(level + shading + noise * np.random.default_rng(seed).standard_normal((200, 200))).astype(dtype)


def disc(radius: float = 30) -> np.ndarray:
    y, x = np.ogrid[:200, :200]
    return (x - 100) ** 2 + (y - 100) ** 2 <= radius**2


def edit(image: np.ndarray, mask: np.ndarray, contrast: float, *, seed: int = 1, **more) -> Enhancement:
    options = {"heterogeneity": 0.25} | more
    keep = {name: options.pop(name) for name in ("form", "profile", "ghost") if name in options}
    return enhance(
        image,
        mask,
        contrast,
        maximum=255 if image.dtype == np.uint8 else 4095,
        settings=EditSettings(**options),
        rng=np.random.default_rng(seed),
        rounding=np.random.default_rng(seed + 1000),
        **keep,
    )


def noise(image: np.ndarray, inside: np.ndarray) -> float:
    """Immerkaer's noise: a second difference that smooth structures do not enter."""
    return float(ndimage.convolve(image.astype(float), _DIFFERENCE)[inside].std() / 6)


@pytest.mark.parametrize("kind", [EIGHT_BIT, TWELVE_BIT], ids=["8 bit", "12 bit"])
@pytest.mark.parametrize("contrast", [1.0, 1.05, 1.2, 1.4])
@pytest.mark.parametrize("radius", [5, 12, 30])
@pytest.mark.parametrize("rim", [False, True])
def test_the_contrast_measured_as_on_lesions_is_the_one_asked_for(kind, contrast, radius, rim) -> None:
    done = edit(noisy_image(kind=kind), disc(radius), contrast, rim=rim)
    assert done.reached
    assert measure_contrast(done.image, disc(radius)) == done.realised == pytest.approx(contrast, abs=0.02)


@pytest.mark.parametrize("kind", [EIGHT_BIT, TWELVE_BIT], ids=["8 bit", "12 bit"])
def test_contrast_medium_does_not_darken(kind) -> None:
    image = noisy_image(kind=kind)
    done = edit(image, disc(), 0.9)
    assert (done.image == image).all()
    assert done.brighter_before and done.reached
    assert done.realised == done.before.ratio
    assert not edit(image, disc(), 1.1).brighter_before


@pytest.mark.parametrize("kind", [EIGHT_BIT, TWELVE_BIT], ids=["8 bit", "12 bit"])
@pytest.mark.parametrize("radius", [12, 30, 60])
def test_the_noise_inside_stays(kind, radius) -> None:
    ratios = []
    for seed in range(12):
        image = noisy_image(seed, kind)
        done = edit(image, disc(radius), [1.0, 1.03, 1.08, 1.2][seed % 4], seed=seed, rim=seed % 3 == 0)
        ratios.append(noise(done.image, disc(radius)) / noise(image, disc(radius)))
    assert min(ratios) > 0.97
    assert max(ratios) < 1.03


def test_the_literal_blend_removes_the_noise_as_the_warning_says() -> None:
    image, mask = noisy_image(), disc()
    done = edit(image, mask, 1.05, blend="literal")
    inner = ndimage.binary_erosion(mask, iterations=4)
    assert noise(done.image, inner) / noise(image, inner) < 0.05
    assert np.array_equal(done.image[~mask], image[~mask])


def test_the_edge_leaves_no_seam() -> None:
    """The mean step over the outline is that of the blurred edge, far below the noise of one pixel."""
    mask = disc(40)
    border = mask & ~ndimage.binary_erosion(mask)
    steps = []
    for seed in range(20):
        image = noisy_image(seed)
        change = edit(image, mask, 1.1, seed=seed).image.astype(float) - image
        steps.append(np.hypot(*np.gradient(change))[border].mean())
    assert np.mean(steps) < 30


def test_far_pixels_and_air_are_bit_identical() -> None:
    image, mask = noisy_image(), disc(20)
    image[:, :90] = 0
    done = edit(image, mask, 1.1, sigma_px=3)
    far = ndimage.distance_transform_edt(~mask) > 24
    assert np.array_equal(done.image[far], image[far])
    assert not done.image[:, :90].any()


def test_grey_codes_that_the_host_leaves_out_stay_out() -> None:
    windowed = np.rint(noisy_image(kind=(60, 6.0, 255, np.uint8)) * 2.5).astype(np.uint8)
    unused = ~np.isin(np.arange(windowed.min(), windowed.max()), windowed)
    assert unused.mean() > 0.3
    done = edit(windowed, disc(), 1.1)
    low, high = np.percentile(windowed, [1, 99])  # in the thin tails a missing code means nothing
    common = done.image[(done.image >= low) & (done.image <= high)]
    assert np.isin(common, windowed).all()
    assert done.reached


def test_even_and_odd_values_stay_balanced() -> None:
    odd = [edit(noisy_image(seed), disc(60), 1.06, seed=seed).image[disc(60)] % 2 for seed in range(6)]
    counts = np.bincount(np.concatenate(odd))
    assert stats.binomtest(int(counts[1]), int(counts.sum())).pvalue > 0.001


def test_enhancement_varies_inside_the_lesion_as_asked() -> None:
    flat = np.full((200, 200), 2000, np.uint16)
    core = ndimage.binary_erosion(disc(70), iterations=20)
    even = edit(flat, disc(70), 1.2, heterogeneity=0.0).image[core] - 2000.0
    varied = edit(flat, disc(70), 1.2, heterogeneity=0.25).image[core] - 2000.0
    assert even.std() / even.mean() < 0.03
    assert 0.12 < varied.std() / varied.mean() < 0.4


def test_a_rim_is_brighter_than_the_centre() -> None:
    flat = np.full((200, 200), 2000, np.uint16)
    done = edit(flat, disc(60), 1.2, heterogeneity=0.0, rim=True).image.astype(float)
    depth = ndimage.distance_transform_edt(disc(60))
    assert done[(depth > 8) & (depth < 20)].mean() > 1.5 * (done[depth > 50].mean() - 2000) + 2000


@pytest.mark.parametrize("form", ["cnr", "iodine"])
def test_other_forms_are_reached_in_their_own_unit(form) -> None:
    wanted = {"cnr": 2.5, "iodine": 0.8}[form]
    done = edit(noisy_image(), disc(), wanted, form=form, profile=profile_of("phantom-a"))
    assert done.after.value(form) == pytest.approx(wanted, rel=0.05)


def test_iodine_without_a_known_gain_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="not known"):
        edit(noisy_image(), disc(), 0.8, form="iodine", profile=profile_of("ge-essential"))


def test_the_host_s_own_contrast_counts() -> None:
    image = noisy_image()
    image[disc(34)] += 60
    done = edit(image, disc(), 1.05)
    assert done.before.ratio == pytest.approx(1.03, abs=0.005)
    assert done.realised == pytest.approx(1.05, abs=0.005)


def test_calcifications_leave_a_slightly_dark_trace() -> None:
    tau = np.zeros((64, 64), np.float32)
    tau[28:36, 28:36] = 0.4
    profile = profile_of("phantom-a")
    trace = calcification_trace(tau, profile, 0.1)
    # 0.041 of the low-energy log (table of beams), times the gain, behind scatter
    assert trace.min() == pytest.approx(-0.041 * 0.4 * 11000 / 1.2, rel=0.1)
    image = noisy_image()
    plain = edit(image, disc(), 1.05).image.astype(int)
    ghosted = edit(image, disc(), 1.05, ghost=((slice(70, 134), slice(70, 134)), trace)).image.astype(int)
    assert (ghosted - plain)[98:106, 98:106].mean() < -100
    with pytest.raises(ValueError, match="not known"):
        calcification_trace(tau, profile_of("hologic"), 0.1)


def test_only_phantom_systems_know_their_recombination() -> None:
    known = {key for key, profile in PROFILES.items() if profile.iodine_gain is not None}
    assert known == {"phantom-a", "phantom-b"}


def test_the_record_tells_the_edit(host: PhantomView) -> None:
    made = simulate(host.pair, malignancy="malignant", seed=3, lesion_free=True)
    record = made.record["enhancement"]
    measured = measure_enhancement(made.pair.recombined, made.mask, profile_of(host.pair.vendor))
    assert record["realised"] == record["after"]["ratio"] == pytest.approx(measured.ratio)
    assert record["after"]["iodine_mg_cm2"] == pytest.approx(measured.iodine_mg_cm2)
    assert record["sigma_mm"] == pytest.approx(record["sigma_px"] * 0.4, rel=0.1)
    assert made.placement.contrast == record["requested"]


def test_the_literal_blend_warns(host: PhantomView) -> None:
    made = simulate(
        host.pair, malignancy="benign", seed=3, lesion_free=True, settings=SimulationSettings(blend="literal")
    )
    assert any("noise" in warning for warning in made.record["warnings"])
    assert SimulationSettings.from_json({"blend": "s000"}).blend == "literal"


def test_the_trace_needs_a_known_gain(host: PhantomView) -> None:
    wanted = SimulationSettings(rc_calc_residual=True, vendor_profile="hologic")
    with pytest.raises(InvalidSettings, match="rc_calc_residual"):
        simulate(host.pair, malignancy="malignant", seed=3, lesion_free=True, settings=wanted)
    traced = simulate(
        host.pair, malignancy="malignant", seed=3, lesion_free=True, settings=SimulationSettings(rc_calc_residual=True)
    )
    plain = simulate(host.pair, malignancy="malignant", seed=3, lesion_free=True)
    assert traced.pair.recombined[plain.support].mean() < plain.pair.recombined[plain.support].mean()
    assert np.array_equal(traced.pair.low_energy, plain.pair.low_energy)


@pytest.mark.slow
def test_realised_contrast_follows_the_distribution_over_200_cases() -> None:
    from simulation.analysed_host import analyse_host

    requested, realised, untouched = [], [], []
    distribution = ContrastDistribution.fit(
        list(1 + 0.06 * np.random.default_rng(4).lognormal(0, 0.6, 40)), "malignant"
    )
    for patient in range(10):
        pair = phantom_patient(seed=100 + patient, site="A", size="test", views=(("L", "CC"),))[0].pair
        analysed = analyse_host(pair, lesion_free=True, exclusion=None, settings=SimulationSettings())
        for variant in range(20):
            made = simulate(
                pair,
                malignancy="malignant",
                seed=5,
                variant=variant,
                lesion_free=True,
                contrast=distribution,
                analysed=analysed,
            )
            requested.append(made.record["enhancement"]["requested"])
            realised.append(made.record["enhancement"]["realised"])
            untouched.append(made.record["enhancement"]["brighter_before"])
    away = np.array(realised) - requested
    tolerance = np.maximum(0.01, 0.1 * np.abs(np.array(requested) - 1))
    assert (away >= -tolerance).all()
    assert (away <= tolerance)[~np.array(untouched)].all()
    assert np.mean(untouched) < 0.2
    assert stats.ks_2samp(requested, realised).pvalue > 0.05
