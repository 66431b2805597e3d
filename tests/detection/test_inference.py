"""Sub-images of a view go through the network one by one or together: the same findings either way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import MaskRCNN

from detection.configuration import MaskRCNNConfiguration
from detection.errors import OutOfMemory
from detection.finding import Finding
from detection.mask_rcnn import inference
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.mask_rcnn.inference import Seen, detect, find, tiles_at_once
from detection.mask_rcnn.model import build
from imaging.reading import read_pair
from tests.detection.conftest import MASS, tiny

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
TOLERANCE = {"rtol": 1e-4, "atol": 1e-3}
"""Of float32: sums of a batch are added in another order."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def decided(configuration: MaskRCNNConfiguration) -> MaskRCNN:
    """A network whose scores lie far apart, as those of a trained one: no order hangs on the last digit."""
    torch.manual_seed(3)
    model = build(configuration).eval()
    with torch.no_grad():
        model.rpn.head.cls_logits.weight.mul_(300)
        model.roi_heads.box_predictor.cls_score.weight.mul_(20)
    return model


def channels(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    coarse = np.random.default_rng(5).integers(0, 255, (-(-rows // 8), -(-columns // 8), 3))
    return np.kron(coarse, np.ones((8, 8, 1)))[:rows, :columns].astype(np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(131, 75), (97, 160), (128, 96)])
def test_what_is_seen_in_an_image_does_not_depend_on_the_others_of_its_batch(rows: int, columns: int) -> None:
    # sizes that the network pads, on the right or below, and one that it does not
    model = decided(tiny(score_above=0.1))
    images = torch.from_numpy(channels(3 * rows, columns)).reshape(3, rows, columns, 3).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        alone = [detect(model, images[index : index + 1])[0] for index in range(3)]
        together = detect(model, images)
    assert len({len(one.detections.labels) for one in alone}) > 1, "the images should differ"
    for one, other in zip(alone, together, strict=True):
        assert one.network_shape == other.network_shape
        assert torch.equal(one.detections.labels, other.detections.labels)
        for name in ("boxes", "network_boxes", "scores", "probabilities"):
            torch.testing.assert_close(getattr(other.detections, name), getattr(one.detections, name), **TOLERANCE)
    corners = torch.cat([one.detections.boxes for one in together])
    assert float(corners[:, 2].max()) <= columns + 1e-3
    assert float(corners[:, 3].max()) <= rows + 1e-3


@pytest.mark.parametrize(
    ("tiles", "count"), [("half-2x2", 4), ("half-3x3", 9), ("native", 6)], ids=["half-2x2", "half-3x3", "native"]
)
def test_a_view_has_the_same_findings_however_many_sub_images_go_together(
    monkeypatch: pytest.MonkeyPatch, tiles: str, count: int
) -> None:
    configuration = tiny(tiles=tiles, tile_size=64, tile_overlap=0.25, score_above=0.1, findings_per_view=20)
    model = decided(configuration)
    sizes: list[int] = []

    def watched(model: MaskRCNN, images: torch.Tensor, *, keep_features: bool) -> list[Seen]:
        sizes.append(len(images))
        return detect(model, images, keep_features=keep_features)

    monkeypatch.setattr(inference, "detect", watched)
    found: dict[int, list[Finding]] = {}
    for together in (1, 2, 4):
        monkeypatch.setattr(inference, "tiles_at_once", lambda configuration, device, size=together: size)
        found[together] = find(model, channels(131, 90), configuration, CPU)
        assert sum(sizes) == count and max(sizes) == together
        sizes.clear()
    assert len(found[1]) > 1 and any(finding.contour for finding in found[1])
    for together in (2, 4):
        assert len(found[together]) == len(found[1])
        for one, other in zip(found[1], found[together], strict=True):
            assert other.lesion_type == one.lesion_type
            for name in ("box", "score", "malignancy"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4, abs=1e-3)
            # an outline is traced around whole pixels
            assert (other.contour is None) == (one.contour is None)
            if one.contour is not None and other.contour is not None:
                np.testing.assert_allclose(np.min(other.contour, axis=0), np.min(one.contour, axis=0), atol=1.0)
                np.testing.assert_allclose(np.max(other.contour, axis=0), np.max(one.contour, axis=0), atol=1.0)


def test_a_gpu_takes_as_many_sub_images_as_a_step_of_training_and_a_processor_one() -> None:
    configuration = tiny(batch_size=4)
    assert tiles_at_once(configuration, CUDA) == 4
    assert tiles_at_once(configuration, CPU) == 1


@pytest.mark.parametrize("fits", [1, 0])
def test_where_several_do_not_fit_into_memory_sub_images_go_one_by_one(
    monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    configuration = tiny(tiles="half-2x2", score_above=0.1)
    model = decided(configuration)
    expected = find(model, channels(131, 90), configuration, CPU)
    tried: list[int] = []

    def narrow(model: MaskRCNN, images: torch.Tensor, *, keep_features: bool) -> list[Seen]:
        tried.append(len(images))
        if len(images) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return detect(model, images, keep_features=keep_features)

    monkeypatch.setattr(inference, "detect", narrow)
    monkeypatch.setattr(inference, "tiles_at_once", lambda configuration, device: 4)
    if not fits:
        with pytest.raises(torch.OutOfMemoryError):
            find(model, channels(131, 90), configuration, CPU)
        assert tried == [4, 1]
        return
    assert find(model, channels(131, 90), configuration, CPU) == expected
    assert tried == [4, 1, 1, 1, 1]


def test_a_prediction_that_finds_the_memory_full_gives_no_advice_for_trainings(
    views: Any, tmp_path: Any, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = views([MASS])
    detector = MaskRCNNDetector()
    detector.fit(samples, samples, tiny(tiles="whole", epochs=1), directory=tmp_path / "run", **quiet)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(inference, "detect", full)
    sample = samples.samples[0]
    with pytest.raises(OutOfMemory, match="choose one with more memory") as caught:
        detector.predict(read_pair(sample.low_energy, sample.recombined, laterality="L", view_position="CC"))
    assert "batch_size" not in str(caught.value)
