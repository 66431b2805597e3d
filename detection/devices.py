"""Names of devices, alone or several together; imports no torch, so that the web process can read them too."""

from __future__ import annotations

import re

from detection.errors import DeviceUnavailable

_SEVERAL = re.compile(r"(?P<type>cpu|cuda)\*(?P<count>[1-9]\d?)")
_LISTED = re.compile(r"cuda:(?P<numbers>\d+(,\d+)+)")


def members(device: str) -> tuple[str, ...]:
    """Names of the devices that a name stands for, one for each process of a training.

    Parameters
    ----------
    device : str
        ``"cuda:0,1"`` for these GPUs, ``"cuda*2"`` for the first two, ``"cpu*2"`` for two processes on the processor;
        any other name stands for itself.

    Raises
    ------
    DeviceUnavailable
        If a GPU is named twice.
    """
    several = _SEVERAL.fullmatch(device)
    if several:
        numbers = range(int(several["count"]))
        return tuple("cpu" if several["type"] == "cpu" else f"cuda:{number}" for number in numbers)
    listed = _LISTED.fullmatch(device)
    if not listed:
        return (device,)
    chosen = listed["numbers"].split(",")
    if len({int(number) for number in chosen}) < len(chosen):
        raise DeviceUnavailable(f"The device {device!r} names a GPU twice.", "Name each once, such as cuda:0,1.")
    return tuple(f"cuda:{int(number)}" for number in chosen)
