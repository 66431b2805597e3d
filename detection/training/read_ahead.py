"""Batches made ahead by threads while the network works on the present one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from detection.training.batches import Batch, BatchSource

_MOST_THREADS = 8


def threads_for(device: torch.device, processes: int) -> int:
    """Threads that make batches: one beside a network on the processor, else half of the cores, up to eight."""
    if device.type == "cpu":
        return 1
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // (2 * processes)))


@contextmanager
def read_ahead(
    source: BatchSource, positions: Iterable[tuple[int, int]], *, threads: int, pinned: bool
) -> Iterator[Iterator[Batch]]:
    """Batches at `positions`, in that order, each made before it is asked for.

    A batch follows from its position alone, so threads change nothing in it. At most ``threads + 1`` batches wait. An
    error in a thread is raised where its batch is asked for. On leaving, batches not yet begun are dropped and the
    threads have ended.

    Parameters
    ----------
    positions : iterable of (epoch, step)
    threads : int
    pinned : bool
        Put the tensors into page-locked memory, from which they reach a CUDA device without waiting.
    """

    def make(position: tuple[int, int]) -> Batch:
        images, targets = source.batch(*position)
        if pinned:
            images = [image.pin_memory() for image in images]
            targets = [{name: value.pin_memory() for name, value in target.items()} for target in targets]
        return images, targets

    pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
    waiting: deque[Future[Batch]] = deque()
    left = iter(positions)

    def submit() -> None:
        position = next(left, None)
        if position is not None:
            waiting.append(pool.submit(make, position))

    def deliver() -> Iterator[Batch]:
        while waiting:
            first = waiting.popleft()
            submit()
            yield first.result()

    try:
        for _ in range(threads + 1):
            submit()
        yield deliver()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
