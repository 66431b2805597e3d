"""What a training does differently on CUDA, as far as a machine without one can show it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

from detection.errors import DetectionError, Interrupted, NonFiniteLoss, OutOfMemory
from detection.mask_rcnn.model import build
from detection.training.devices import computes_in_bfloat16, memory_errors
from detection.training.processes import together
from tests.detection.conftest import tiny
from tests.detection.test_training import OneNumber
from tests.detection.test_training_options import run

CPU, CUDA = torch.device("cpu"), torch.device("cuda:1")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ],
    ids=str,
)
def test_however_a_device_says_that_it_is_full_the_advice_is_the_same(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="Lower batch_size"), memory_errors(CPU):
        raise error


def test_other_errors_of_a_device_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="device-side assert"), memory_errors(CPU):
        raise RuntimeError("CUDA error: device-side assert triggered")


def test_what_the_failed_step_held_is_let_go_while_the_error_is_still_kept() -> None:
    held: list[weakref.ref[Tensor]] = []

    def step() -> None:
        activations = torch.zeros(5)
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(OutOfMemory) as caught, memory_errors(CPU):
        step()
    assert caught.value.__cause__ is not None
    assert held[0]() is None


@pytest.mark.parametrize(("capability", "native"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_mixed_precision_is_for_gpus_that_calculate_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], native: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert computes_in_bfloat16(CUDA) is native
    assert not computes_in_bfloat16(CPU)


class Product(nn.Module):
    """One product of matrices, which autocast computes in bfloat16; remembers in which type."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen: set[tuple[bool, torch.dtype]] = set()

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
        found = self.layer(images[0].reshape(1, -1)[:, :1])
        self.seen.add((torch.is_grad_enabled(), found.dtype))
        return {"loss": (found.float() ** 2).sum()}


@pytest.mark.parametrize(("wanted", "able"), [(True, True), (True, False), (False, True)])
def test_training_and_validation_are_mixed_where_asked_for_and_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool, able: bool
) -> None:
    # Autocast of the processor stands in for that of a GPU; everything around it is the same.
    monkeypatch.setattr("detection.training.loop.computes_in_bfloat16", lambda device: able)
    model = Product()
    curve, _ = run(tmp_path, model=model, mixed_precision=wanted, epochs=1).run()
    kind = torch.bfloat16 if wanted and able else torch.float32
    assert model.seen == {(True, kind), (False, kind)}
    assert model.layer.weight.dtype == torch.float32
    assert len(curve) == 1


def test_a_gradient_without_limit_spoils_neither_checkpoint_nor_kept_weights(tmp_path: Path) -> None:
    class Steep(OneNumber):
        steps = 0

        def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
            self.steps += torch.is_grad_enabled()
            losses = super().forward(images, targets)
            # The last step of the second epoch: a loss of nought with an infinite slope.
            return losses if self.steps != 8 else {"loss": (self.value - self.value.detach()).sqrt().sum()}

    with pytest.raises(NonFiniteLoss, match=r"gradient.*epoch 2.*value"):
        run(tmp_path, model=Steep()).run()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-001.pt"]


@pytest.mark.parametrize("backbone", ["resnet18", "compact"])
def test_a_step_without_any_lesion_has_a_gradient_for_every_weight(backbone: str) -> None:
    # A process that gave none for a weight would let the others wait for it forever.
    model = build(tiny(backbone=backbone, normalisation="group")).train()
    nothing = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 96, 96, dtype=torch.uint8),
    }
    losses = model([torch.rand(3, 96, 96)], [nothing])
    torch.stack(list(losses.values())).sum().backward()
    assert [name for name, weights in model.named_parameters() if weights.grad is None] == []
    assert all(bool(weights.grad.isfinite().all()) for weights in model.parameters() if weights.grad is not None)


@pytest.mark.parametrize(
    ("failure", "ended"),
    [(None, True), (Interrupted(None), True), (OutOfMemory("Full.", "Less."), False)],
    ids=["done", "stopped", "failed"],
)
def test_a_process_takes_its_own_gpu_and_waits_for_the_others_at_the_end_only_if_they_come(
    monkeypatch: pytest.MonkeyPatch, failure: DetectionError | None, ended: bool
) -> None:
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    done: list[Any] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: done.append(device))
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, timeout: done.append(backend))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: done.append("ended"))

    def work() -> None:
        with together("cuda:2,3") as (processes, device):
            assert (processes.share.rank, device) == (1, "cuda:3")
            if failure is not None:
                raise failure

    if failure is None:
        work()
    else:
        with pytest.raises(type(failure)):
            work()
    assert done == ["cuda:3", "cpu:gloo,cuda:nccl", *(["ended"] if ended else [])]
