"""An edited region does not give itself away."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.shortcuts import auc_with_interval, cases, compare, image_features, windowed
from simulation.grey_codes import round_to_codes, slow_dither, used_codes
from simulation.phantom import PhantomView


def disc(shape: tuple[int, int], radius: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - shape[0] / 2, x - shape[1] / 2) < radius


def test_the_features_notice_what_they_are_made_for() -> None:
    rng = np.random.default_rng(0)
    image = np.rint(500 + 10 * rng.standard_normal((120, 120))).astype(np.uint16)
    mask, nothing = disc(image.shape, 30), np.zeros(image.shape, bool)
    plain = image_features(image, mask, nothing)

    calm = np.where(mask, np.rint(500 + 0.5 * (image.astype(float) - 500)), image).astype(np.uint16)
    assert image_features(calm, mask, nothing)["noise"] < 0.6 * plain["noise"]
    lifted = np.where(mask, image + 60, image).astype(np.uint16)
    assert image_features(lifted, mask, nothing)["border"] > 1.5 * plain["border"]
    assert image_features(lifted, mask, nothing)["grey codes"] > plain["grey codes"] + 0.3
    even = np.where(mask, image // 2 * 2, image).astype(np.uint16)
    assert image_features(even, mask, nothing)["parity"] == 0


def test_the_slow_dither_adds_no_noise_and_keeps_the_mean() -> None:
    rng = np.random.default_rng(1)
    host = np.rint(120 + 2 * rng.standard_normal((400, 400))).astype(np.float32)
    change = np.full(host.shape, 0.4, np.float32)
    codes = used_codes(host.astype(np.uint8), 255)
    made = round_to_codes(host, change, codes, slow_dither((400, 400), 5.0, rng))
    assert made.mean() - host.mean() == pytest.approx(0.4, abs=0.1)
    step = np.diff(made - host, axis=1)
    assert (step != 0).mean() < 0.06


def test_grey_codes_that_a_windowed_host_leaves_out_stay_out(host: PhantomView) -> None:
    pair = windowed(host.pair)
    left_out = set(range(1, 255)) - set(np.unique(pair.low_energy))
    assert len(left_out) > 50
    for _, _, case in cases(lambda index: pair, hosts=1, variants=1):
        new = np.isin(case.pair.low_energy, list(left_out))
        # calcifications may stand out above every grey value of the breast; the region does not
        assert not new[~case.support].any()


@pytest.mark.slow
def test_no_single_feature_tells_edited_from_untouched_regions() -> None:
    table, _ = compare("small", hosts=30, variants=4)
    for name in table.edited:
        if not name.startswith("location"):
            found = auc_with_interval(table, name)
            # 120 regions a side: half of the null band of the rank statistic is 0.07
            assert found["low"] < 0.55 and found["high"] > 0.45, name


@pytest.mark.slow
def test_the_literal_recombined_edit_is_found_at_once() -> None:
    table, _ = compare("small", hosts=6, variants=2, blend="literal")
    assert auc_with_interval(table, "recombined noise")["auc"] < 0.05
