"""Command line: ``python -m detection train``, ``predict``, ``clean`` and ``presets``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any

from detection.configuration import FAMILY, ConfigurationError, MaskRCNNConfiguration
from detection.errors import DetectionError, Interrupted
from detection.evaluation.protocol import Protocol
from detection.findings_file import write_findings
from detection.preset import as_table, presets
from detection.registry import families, family
from detection.sample_set import SampleSet
from detection.training.failures import FOLLOWED, STOP, failed_event
from detection.view_cache import ViewCache
from imaging.errors import ImagingError
from imaging.reading import read_pair

_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 (failed, reason on stderr), 2 (wrong input) or 3 (interrupted, can go on)."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except Interrupted as error:
        code = _say(error, _INTERRUPTED)
        # Agreed on by all processes: no reason for torchrun to raise an alarm, and who follows has been told.
        return 0 if FOLLOWED in os.environ and error.checkpoint is not None else code
    except (DetectionError, ImagingError) as error:
        return _say(error, _FAILED)
    except (ConfigurationError, OSError, ValueError, KeyError) as error:
        return _say(error, _MISUSED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m detection", description="Train and use lesion detectors.")
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="train a detector; goes on where an earlier run on DIR stopped")
    train.add_argument("--training", type=Path, required=True, metavar="T.json", help="sample set")
    train.add_argument("--validation", type=Path, required=True, metavar="V.json", help="sample set")
    recipe = train.add_mutually_exclusive_group(required=True)
    recipe.add_argument("--preset", choices=sorted(presets()))
    recipe.add_argument("--configuration", type=Path, metavar="C.json")
    train.add_argument("--epochs", type=int, help="instead of the preset's")
    train.add_argument("--seed", type=int, help="instead of the preset's")
    train.add_argument("--initial-weights", metavar="FILE", help="local COCO weights of maskrcnn_resnet50_fpn")
    train.add_argument("--protocol", type=Path, metavar="P.json", help="of numbers on the validation set")
    train.add_argument("--out", type=Path, required=True, metavar="DIR")
    train.add_argument("--cache", type=Path, metavar="DIR", help="prepared views shared by trainings; kept")
    train.set_defaults(run=_train)
    predict = commands.add_parser("predict", help="write the findings of a trained detector on a sample set")
    predict.add_argument("--model", type=Path, required=True, metavar="DIR")
    predict.add_argument("--samples", type=Path, required=True, metavar="S.json")
    predict.add_argument("--out", type=Path, required=True, metavar="findings.json")
    predict.set_defaults(run=_predict)
    for command in (train, predict):
        command.add_argument("--family", choices=families(), default=FAMILY)
        command.add_argument(
            "--device", default="cpu", help="cpu (default), cuda, cuda:<n> or auto; several to train on: cuda:0,1"
        )
    clean = commands.add_parser("clean", help="remove the prepared views that were unused for longest")
    clean.add_argument("--cache", type=Path, required=True, metavar="DIR")
    clean.add_argument("--keep-gigabytes", type=float, required=True, metavar="N", help="what may stay, 10^9 bytes")
    clean.set_defaults(run=_clean)
    listing = commands.add_parser("presets", help="every value of every preset with its source, as Markdown")
    listing.set_defaults(run=_presets)
    return parser


def _train(chosen: argparse.Namespace) -> int:
    if chosen.preset:
        configuration = presets()[chosen.preset].configuration
    else:
        configuration = MaskRCNNConfiguration.from_json(chosen.configuration.read_text())
    given = {name: getattr(chosen, name) for name in ("epochs", "seed", "initial_weights")}
    configuration = replace(configuration, **{name: value for name, value in given.items() if value is not None})
    training, validation = SampleSet.read(chosen.training), SampleSet.read(chosen.validation)
    protocol = Protocol.from_json(json.loads(chosen.protocol.read_text())) if chosen.protocol else None
    stop = _StopOnSignal()
    outcome = family(chosen.family)().fit(
        training,
        validation,
        configuration,
        directory=chosen.out,
        progress=_print_event,
        should_stop=stop.asked,
        device=chosen.device,
        cache=chosen.cache,
        protocol=protocol,
    )
    if int(os.environ.get("RANK", "0")) == 0:
        sys.stdout.write(f"best epoch {outcome.best_epoch} of {len(outcome.curve)}; model in {chosen.out}\n")
    return 0


def _predict(chosen: argparse.Namespace) -> int:
    samples = SampleSet.read(chosen.samples)
    detector = family(chosen.family).load(chosen.model, chosen.device)
    findings = {}
    for sample in samples.samples:
        pair = read_pair(
            sample.low_energy,
            sample.recombined,
            laterality=sample.laterality,
            view_position=sample.view_position,
            spacing_mm=sample.spacing_mm,
        )
        findings[sample.sample_id] = detector.predict(pair)
    write_findings(chosen.out, findings, sample_set=samples.name, model=detector.describe())
    sys.stdout.write(f"{sum(map(len, findings.values()))} findings on {len(findings)} views\n")
    return 0


def _presets(_: argparse.Namespace) -> int:
    sys.stdout.write(as_table())
    return 0


def _clean(chosen: argparse.Namespace) -> int:
    pruned = ViewCache(chosen.cache).prune(int(chosen.keep_gigabytes * 1e9))
    sys.stdout.write(json.dumps(asdict(pruned)) + "\n")
    return 0


class _StopOnSignal:
    """SIGTERM and SIGINT ask the training to write a checkpoint and stop; so does the process that follows it."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        if FOLLOWED in os.environ:
            threading.Thread(target=self._listen, name="follower", daemon=True).start()

    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def _listen(self) -> None:
        """Each process takes one byte of the input they share; its end means that nobody follows any more."""
        if os.read(sys.stdin.fileno(), len(STOP)) == STOP:
            self._asked = True
        else:
            os._exit(_FAILED)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True


def _print_event(event: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _say(error: Exception, code: int) -> int:
    if isinstance(error, DetectionError) and FOLLOWED in os.environ:
        _print_event(failed_event(error))
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
