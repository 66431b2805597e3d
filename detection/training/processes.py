"""The processes of one training, one device each, as torchrun starts them; most trainings have one.

What must be the same everywhere (the step at which to stop, losses, failures) is agreed on here. Small messages travel
by gloo between processors, gradients by the backend of the device (NCCL on CUDA).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from detection.devices import members
from detection.errors import DetectionError, DeviceUnavailable, Interrupted
from detection.training.batches import Share
from detection.training.failures import failed_event, failure_in

_PATIENCE = timedelta(hours=2)
"""How long one process waits for another, which may be preparing views or validating."""


class Processes:
    """The group that this process belongs to.

    Attributes
    ----------
    share : Share
        Which images of a step are this process's.
    first : bool
        Whether this is the process that writes files and tells of progress.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.share = Share(rank, count)
        self.first = rank == 0
        self._several = count > 1

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all get the same answer."""
        return flag if not self._several else self.total([float(flag)])[0] > 0

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes, in double precision; not a number where any is not."""
        if not self._several:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(summed)
        return [float(value) for value in summed]

    def gather(self, value: Any) -> list[Any]:
        """What every process gives, by rank, in all of them."""
        if not self._several:
            return [value]
        found = [None] * self.share.count
        distributed.all_gather_object(found, value)
        return found

    def by_first(self, action: Callable[[], object]) -> None:
        """Let the first process act and the others wait for it; what fails there fails everywhere.

        Raises
        ------
        DetectionError
            The same in all processes.
        """
        failure: DetectionError | None = None
        if self.first:
            try:
                action()
            except DetectionError as error:
                failure = error
        if self._several:
            told = [None if failure is None else failed_event(failure)]
            distributed.broadcast_object_list(told, src=0)
            if told[0] is not None:
                failure = failure_in(told[0])
        if failure is not None:
            raise failure

    def wait(self) -> None:
        """Wait until every process is here."""
        if self._several:
            distributed.barrier()

    def prepared(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The network with its batch statistics taken over all processes, where the device can do that (CUDA)."""
        if self._several and device.type == "cuda":
            synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
            return synchronised
        return model

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The network as it is to be called in training: its gradients are averaged over the processes."""
        if not self._several:
            return model
        own = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=own, gradient_as_bucket_view=True)

    def level(self, model: nn.Module) -> None:
        """Give every process the buffers (running statistics) of the first."""
        if self._several:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun, or whoever keeps its contract, has started."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def together(device: str) -> Iterator[tuple[Processes, str]]:
    """Join the other processes of a training, if there are any, and take one's own device.

    Parameters
    ----------
    device : str
        As in `detection.devices.members`; under torchrun ``"cuda"`` means the GPU of one's local rank.

    Yields
    ------
    processes : Processes
    device : str
        Name of this process's device.

    Raises
    ------
    DeviceUnavailable
        If the devices named are not as many as the processes.
    """
    if not started_by_torchrun():
        yield Processes(), members(device)[0]
        return
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    count, here = int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    names = members(device)
    if len(names) == 1:
        names = (f"cuda:{local}",) * here if device in ("cuda", "auto") and torch.cuda.is_available() else names * here
    if len(names) != here:
        raise DeviceUnavailable(
            f"{device} names {len(names)} devices, and {here} processes were started.", "Start one process a device."
        )
    on_cuda = names[local].startswith("cuda")
    if on_cuda:
        if local >= torch.cuda.device_count():
            raise DeviceUnavailable(
                f"There is no {names[local]}: {torch.cuda.device_count()} CUDA devices are present.",
                "Start fewer processes.",
            )
        torch.cuda.set_device(names[local])
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(rank, count), names[local]
    except Exception as error:
        # On CUDA a regular end waits for sums that the others may never join; that of the process breaks them off.
        if not on_cuda or isinstance(error, Interrupted):
            distributed.destroy_process_group()
        raise
    distributed.destroy_process_group()
