"""A training of a small network without random draws, alone or as one process of several that torchrun starts.

``python -m tests.detection.toy_training DIR SCENARIOS`` trains one after another what a JSON list describes: ``name``
(of a folder in DIR), ``stop_at`` (question at which the last process is asked to stop), ``fail_on`` (epoch after which
the first process cannot write), ``changes`` (fields of the configuration).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from detection.configuration import MaskRCNNConfiguration
from detection.detector import EpochRecord, Measure
from detection.errors import Interrupted, StorageFailed
from detection.training.batches import Batch, Share
from detection.training.loop import TrainingLoop
from detection.training.processes import Processes, together

IMAGES = 5
"""With two images a step the last step of a pass has one."""


class Toy(nn.Module):
    """Two layers; each loss is a mean over images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
        seen = self.layers(torch.stack([image.flatten() for image in images]))
        wanted = torch.stack([target["value"] for target in targets])
        return {"near": ((seen - wanted) ** 2).mean(), "small": 0.01 * (seen**2).mean()}


class Points:
    """Five images of one pixel; which two make a step follows from epoch and step."""

    def __init__(self, share: Share, *, size: int = 2) -> None:
        self._share = share
        self._size = size

    def steps(self) -> int:
        return -(-IMAGES // self._size)

    def images(self) -> int:
        return IMAGES

    def batch(self, epoch: int, step: int) -> Batch:
        first = step * self._size
        chosen = self._share.of(range(first, min(first + self._size, IMAGES)))
        numbers = [float((index + epoch) % IMAGES) for index in chosen]
        images = [torch.tensor([n / 5, -n / 7, n * n / 25]).reshape(3, 1, 1) for n in numbers]
        return images, [{"value": torch.tensor([n / 2])} for n in numbers]


class Outputs:
    """Measures what the network says of five images, in their order."""

    def views(self) -> int:
        return IMAGES

    def find(self, model: nn.Module, view: int) -> float:
        (image,), _ = Points(Share(), size=1).batch(0, view)
        assert isinstance(model, Toy)
        return float(model.layers(image.flatten()))

    def numbers(self, found: Sequence[float]) -> dict[str, Measure]:
        return {f"image {view}": Measure(value, 1) for view, value in enumerate(found)}

    def about(self) -> dict[str, Any]:
        return {"views": IMAGES}


def train(
    directory: Path,
    processes: Processes | None = None,
    *,
    stop_at: int | None = None,
    fail_on: int | None = None,
    **changes: Any,
) -> tuple[list[EpochRecord], int, list[dict[str, Any]]]:
    """Curve, best epoch and events of this process."""
    chosen = processes or Processes()
    questions = 0

    def should_stop() -> bool:
        nonlocal questions
        questions += 1
        # One process alone is asked to stop; the others must learn of it.
        return stop_at is not None and questions > stop_at and chosen.share.rank == chosen.share.count - 1

    def after_epoch(epoch: int, model: nn.Module) -> None:
        if fail_on == epoch:
            raise StorageFailed("The disk is full.", "Free space.")

    values = {"optimiser": "sgd", "learning_rate": 0.1, "momentum": 0.9, "epochs": 4, "batch_size": 2} | changes
    heard: list[dict[str, Any]] = []
    loop = TrainingLoop(
        Toy(),
        Points(chosen.share),
        Points(Share()),
        MaskRCNNConfiguration(**values),
        identity="toy",
        directory=directory,
        device=torch.device("cpu"),
        progress=lambda event: heard.append(dict(event)),
        should_stop=should_stop,
        after_epoch=after_epoch,
        measuring=Outputs(),
        processes=chosen,
    )
    curve, best = loop.run()
    return curve, best, heard


def main() -> None:
    """Write what this process has seen to ``DIR/seen-<rank>.json``, one entry a scenario."""
    directory, scenarios = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    with together("cpu") as (processes, device):
        seen = []
        for entry in scenarios:
            told: dict[str, Any] = {"device": device, "count": processes.share.count}
            stop_at, fail_on = entry.get("stop_at"), entry.get("fail_on")
            try:
                curve, best, heard = train(
                    directory / entry["name"],
                    processes,
                    stop_at=stop_at,
                    fail_on=fail_on,
                    **entry.get("changes", {}),
                )
                told |= {"curve": [asdict(record) for record in curve], "best": best, "events": len(heard)}
            except (Interrupted, StorageFailed) as error:
                told |= {"error": type(error).__name__, "message": error.message}
            seen.append(told)
        (directory / f"seen-{processes.share.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
