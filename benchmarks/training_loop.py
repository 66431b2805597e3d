"""Cost of the training loop around the network: share of a step spent loading data, and overhead over a bare step.

Draws sample pairs, trains with the real loop and the real loader, then repeats the same steps bare: forward, backward
and optimiser on the very tensors the loop used, from the same weights and random state. The losses must be equal. Bare
and full run in turn, several times; CPU time is compared, since the machine may be shared. Loading, which runs in a
thread of its own, is given twice: its share of the CPU time, and the share of the wall time in which the loop waited
for a batch. Prints them with images/s; each aim is at most 0.05. With ``--loader-only`` nothing is trained: it prints
what preparing a view, finding it prepared and making an augmented image cost, for networks too large for this machine.
With ``--device cuda`` the preset as it stands trains on the GPU, from random weights, in full and in mixed precision:
images/s, peak of memory and the share of the time in which the loop waited for a batch are printed.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.training_loop [--steps N] [--rounds N] [--side PIXELS] [--preset NAME]
[--batch N] [--loader-only] [--device NAME]``
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from detection.configuration import MaskRCNNConfiguration
from detection.mask_rcnn.model import build
from detection.mask_rcnn.tile_batches import TrainingBatches
from detection.mask_rcnn.tile_set import TileSet
from detection.mask_rcnn.view_store import prepare_views
from detection.preset import presets
from detection.sample_set import LesionTarget, Sample, SampleSet
from detection.training import randomness
from detection.training.batches import Batch
from detection.training.devices import computes_in_bfloat16, resolve
from detection.training.loop import TrainingLoop
from detection.training.schedule import build_optimiser

AIM = 0.05


class TimedBatches:
    """The loader of a training, keeping what it gave and the CPU time it took."""

    def __init__(self, source: TrainingBatches) -> None:
        self.source = source
        self.seconds = 0.0
        self.waiting = 0.0
        self.given: list[Batch] = []

    def steps(self) -> int:
        """Batches in an epoch."""
        return self.source.steps()

    def images(self) -> int:
        """Images in an epoch."""
        return self.source.images()

    def batch(self, epoch: int, step: int) -> Batch:
        """The batch, timed in the one thread that makes them."""
        started = time.thread_time()
        found = self.source.batch(epoch, step)
        self.seconds += time.thread_time() - started
        self.given.append(found)
        return found


def draw(folder: Path, count: int, side: int) -> SampleSet:
    """Views of `side` rows and four fifths as many columns, one malignant mass and one benign cluster each."""
    rows, columns = side, side * 4 // 5
    y, x = np.mgrid[:rows, :columns] + 0.5
    breast = (x / (columns * 0.9)) ** 2 + ((y - rows / 2) / (rows * 0.47)) ** 2 < 1
    samples = []
    for index in range(count):
        rng = np.random.default_rng(index)
        pair = [np.where(breast, 90 + rng.normal(0, 6, breast.shape), 0) for _ in range(2)]
        lesions = []
        for kind, malignancy, height in (("mass", "malignant", 0.35), ("cluster", "benign", 0.65)):
            cx, cy, radius = columns * 0.4, rows * (height + 0.02 * rng.standard_normal()), rows * 0.06
            pair[1 if kind == "mass" else 0][(x - cx) ** 2 + (y - cy) ** 2 < radius**2] += 80
            angles = np.arange(24) * np.pi / 12
            outline = tuple((float(cx + radius * np.cos(a)), float(cy + radius * np.sin(a))) for a in angles)
            box = (cx - radius, cy - radius, cx + radius, cy + radius)
            lesions.append(LesionTarget(f"{index}-{kind}", kind, malignancy, (outline,), box))  # type: ignore[arg-type]
        paths = [folder / f"{index}-{name}.png" for name in ("low", "recombined")]
        for path, pixels in zip(paths, pair, strict=True):
            cv2.imwrite(str(path), pixels.clip(0, 255).astype(np.uint8))
        samples.append(Sample(f"v{index}", f"p{index}", paths[0], paths[1], "L", "CC", None, "phantom", tuple(lesions)))
    return SampleSet("drawn", tuple(samples))


def full(batches: TimedBatches, configuration: MaskRCNNConfiguration, folder: Path) -> tuple[float, list[float]]:
    """CPU seconds of one epoch of the loop, from its first step to its last report, and the losses."""
    randomness.start(configuration.seed)
    model = build(configuration)
    losses: list[float] = []
    marks: list[float] = []

    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "step":
            losses.append(event["metrics"]["training_loss"])
            marks.append(time.process_time())
            batches.waiting = event["metrics"]["loading_share"]

    loop = TrainingLoop(
        model,
        batches,
        None,
        configuration,
        identity="benchmark",
        directory=folder,
        device=torch.device("cpu"),
        progress=listen,
        should_stop=lambda: False,
    )
    started = time.process_time()
    loop.run()
    return marks[-1] - started, losses


def bare(given: list[Batch], configuration: MaskRCNNConfiguration) -> tuple[float, list[float]]:
    """CPU seconds of forward, backward and step on the same tensors, with nothing around them."""
    randomness.start(configuration.seed)
    model = build(configuration).train()
    optimiser = build_optimiser(model, configuration)
    losses = []
    started = time.process_time()
    for images, targets in given:
        total = torch.stack(list(model(images, targets).values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()
        losses.append(total.detach())
    return time.process_time() - started, [float(loss) for loss in losses]


def on_device(tiles: TileSet, configuration: MaskRCNNConfiguration, device: torch.device, folder: Path) -> list[Any]:
    """Speed and memory of one pass over the tiles, in each precision that the device has; the last 20 steps count."""
    told = []
    for mixed in (False, True) if computes_in_bfloat16(device) else (False,):
        heard: list[Mapping[str, Any]] = []
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        randomness.start(configuration.seed)
        TrainingLoop(
            build(configuration),
            TrainingBatches(tiles, batch_size=configuration.batch_size, seed=configuration.seed),
            None,
            replace(configuration, mixed_precision=mixed),
            identity="benchmark",
            directory=folder / f"mixed-{mixed}",
            device=device,
            progress=heard.append,
            should_stop=lambda: False,
        ).run()
        step = [event["metrics"] for event in heard if event["event"] == "step"][-1]
        epoch = next(event["metrics"] for event in heard if event["event"] == "epoch")
        told.append(
            {
                "mixed_precision": mixed,
                "images_per_second": round(step["images_per_second"], 2),
                "waiting_share": round(step["loading_share"], 4),
                "memory_bytes": epoch["memory_bytes"],
                "training_loss": epoch["training_loss"],
            }
        )
    return told


def loader_alone(samples: SampleSet, configuration: MaskRCNNConfiguration, cache: Path) -> dict[str, Any]:
    """CPU milliseconds a view and an image, over one pass."""
    told: dict[str, Any] = {}
    for name in ("prepare", "find_prepared"):
        started = time.process_time()
        views = prepare_views(
            samples, configuration.preprocessing, cache, progress=lambda event: None, should_stop=lambda: False
        )
        told[f"{name}_cpu_ms_per_view"] = round(1000 * (time.process_time() - started) / len(views), 1)
    batches = TrainingBatches(
        TileSet(views, configuration), batch_size=configuration.batch_size, seed=configuration.seed
    )
    batches.batch(0, 0)
    spent = []
    for step in range(batches.steps()):
        started = time.process_time()
        images, _ = batches.batch(0, step)
        spent.append(1000 * (time.process_time() - started) / len(images))
    shapes = {tuple(image.shape[1:]) for image in images}
    return told | {
        "image": [list(shape) for shape in sorted(shapes)],
        "images": batches.images(),
        "loader_cpu_ms_per_image": round(float(np.median(spent)), 1),
        "machine_load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Exit status 1 if an aim is missed or the losses differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--loader-only", action="store_true")
    parser.add_argument("--device", default="cpu", help="cuda, or cuda:<n>: speed and memory there")
    parser.add_argument("--batch", type=int, help="instead of the preset's")
    parser.add_argument("--preset", default="cpu-quick", choices=sorted(presets()))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    preset = presets()[chosen.preset].configuration
    # Same rate at every step and no clipping, so that the bare steps need no schedule to give equal losses.
    configuration = replace(
        preset,
        epochs=1,
        length="epochs",
        schedule="constant",
        warm_up_steps=0,
        gradient_limit=0.0,
        weight_averaging=0.0,
        best_epoch="last",
        normalisation="batch",
        initial_weights=None,
        batch_size=chosen.batch or preset.batch_size,
    )
    waiting: list[float] = []
    loading, overhead, seconds, equal = [], [], [], True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = draw(folder, chosen.steps * configuration.batch_size, chosen.side)
        if chosen.loader_only:
            print(json.dumps(loader_alone(samples, configuration, folder / "prepared"), indent=1))
            return 0
        views = prepare_views(
            samples,
            configuration.preprocessing,
            folder / "prepared",
            progress=lambda event: None,
            should_stop=lambda: False,
        )
        tiles = TileSet(views, configuration)
        if chosen.device != "cpu":
            one_pass = replace(
                preset, epochs=1, length="epochs", best_epoch="last", batch_size=configuration.batch_size
            )
            print(json.dumps(on_device(tiles, one_pass, resolve(chosen.device), folder / "device"), indent=1))
            return 0
        # The first round warms up and is not counted.
        for index in range(-1, chosen.rounds):
            batches = TimedBatches(TrainingBatches(tiles, batch_size=configuration.batch_size, seed=configuration.seed))
            ours, losses = full(batches, configuration, folder / f"run-{index}")
            peer, expected = bare(batches.given, configuration)
            equal = equal and losses == expected
            if index < 0:
                continue
            loading.append(batches.seconds / ours)
            waiting.append(batches.waiting)
            overhead.append((ours - batches.seconds) / peer - 1)
            seconds.append(ours)
        images = batches.images()
    figures = {
        "preset": chosen.preset,
        "view": [chosen.side, chosen.side * 4 // 5],
        "steps": batches.steps(),
        "images_per_cpu_second": round(images / float(np.median(seconds)), 2),
        "loading_share": [round(value, 4) for value in loading],
        "loop_overhead": [round(value, 4) for value in overhead],
        "waiting_share": [round(value, 4) for value in waiting],
        "loader_cpu_ms_per_image": round(1000 * batches.seconds / images, 2),
        "median_waiting_share": round(float(np.median(waiting)), 4),
        "median_loading_share": round(float(np.median(loading)), 4),
        "median_loop_overhead": round(float(np.median(overhead)), 4),
        "aim": AIM,
        "equal_losses": equal,
        "machine_load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures, indent=1))
    met = equal and all(float(np.median(share)) <= AIM for share in (loading, waiting, overhead))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
