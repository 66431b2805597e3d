"""Two-sample statistics whose unit is the patient: calcifications of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from simulation.randomness import generator

CONFIDENCE = 0.95
RESAMPLES = 500

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Values with the patient each belongs to.

    Attributes
    ----------
    values : ndarray of float64, shape (n,) or (n, features)
    patients : ndarray of str, shape (n,)
    """

    values: Values
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, values: Any, patients: Sequence[str] | NDArray[np.str_]) -> Sample:
        """From any sequences; rows with a value that is not finite are left out."""
        numbers, names = np.asarray(values, dtype=np.float64), np.asarray(patients, dtype=np.str_)
        if len(numbers) != len(names):
            raise ValueError(f"{len(numbers)} values and {len(names)} patients; each value needs its patient")
        finite = np.isfinite(numbers) if numbers.ndim == 1 else np.isfinite(numbers).all(1)
        return cls(numbers[finite], names[finite])

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)

    @property
    def patient_count(self) -> int:
        """Number of patients."""
        return len(np.unique(self.patients))

    def resampled(self, rng: np.random.Generator) -> Values:
        """Values of as many patients, drawn with replacement."""
        groups = self._groups()
        return np.concatenate([self.values[groups[i]] for i in rng.integers(len(groups), size=len(groups))])

    def _groups(self) -> list[NDArray[np.intp]]:
        _, index = np.unique(self.patients, return_inverse=True)
        order = np.argsort(index, kind="stable")
        return list(np.split(order, np.flatnonzero(np.diff(index[order])) + 1))


@dataclass(frozen=True)
class Estimate:
    """A number with its interval over patients.

    Attributes
    ----------
    value, low, high : float
        The interval is the 2.5-97.5 % range over resampled patients.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Comparison:
    """One quantity of real against synthetic lesions.

    Attributes
    ----------
    name : str
    real, synthetic : int
        Number of values.
    real_patients, synthetic_patients : int
    real_median, synthetic_median : float
    ks : Estimate
        Largest distance of the two distribution functions.
    p_naive : float
        Of `scipy.stats.ks_2samp` (asymptotic), as if all values were independent.
    p : float
        Share of relabellings of whole patients with at least this distance.
    wasserstein : Estimate
        Wasserstein-1 distance over the standard deviation of the real values. Never negative, so that its interval
        lies above 0 for equal distributions too.
    """

    name: str
    real: int
    synthetic: int
    real_patients: int
    synthetic_patients: int
    real_median: float
    synthetic_median: float
    ks: Estimate
    p_naive: float
    p: float
    wasserstein: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare(name: str, real: Sample, synthetic: Sample, *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Kolmogorov-Smirnov and Wasserstein distances with intervals over patients.

    Raises
    ------
    ValueError
        If a side has no values, or the real ones do not vary.
    """
    if real.size == 0 or synthetic.size == 0:
        raise ValueError(f"{real.size} real and {synthetic.size} synthetic values; both are needed")
    spread = float(np.std(real.values, ddof=1)) if real.size > 1 else 0.0
    if spread == 0:
        raise ValueError("the real values do not vary, so that no distance can be scaled")

    def scaled_wasserstein(one: Values, two: Values) -> float:
        return float(stats.wasserstein_distance(one, two)) / spread

    plain = stats.ks_2samp(real.values, synthetic.values, method="asymp")
    return Comparison(
        name,
        real.size,
        synthetic.size,
        real.patient_count,
        synthetic.patient_count,
        float(np.median(real.values)),
        float(np.median(synthetic.values)),
        two_sample_estimate(ks_distance, real, synthetic, resamples=resamples, seed=seed),
        float(plain.pvalue),
        relabelling_p(ks_distance, real, synthetic, resamples=resamples, seed=seed),
        two_sample_estimate(scaled_wasserstein, real, synthetic, resamples=resamples, seed=seed),
    )


def ks_distance(one: Values, two: Values) -> float:
    """Largest distance of two empirical distribution functions."""
    one, two = np.sort(one), np.sort(two)
    places = np.concatenate([one, two])
    first = np.searchsorted(one, places, side="right") / len(one)
    second = np.searchsorted(two, places, side="right") / len(two)
    return float(np.abs(first - second).max())


def two_sample_estimate(
    statistic: Callable[[Values, Values], float],
    real: Sample,
    synthetic: Sample,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A statistic of two samples with its bootstrap interval over the patients of both sides."""
    rng = generator(seed, "realism", "bootstrap")
    drawn = [statistic(real.resampled(rng), synthetic.resampled(rng)) for _ in range(resamples)]
    return _interval(statistic(real.values, synthetic.values), drawn)


def estimate(
    statistic: Callable[[Values], float], sample: Sample, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """A statistic of one sample with its bootstrap interval over patients."""
    rng = generator(seed, "realism", "bootstrap")
    return _interval(statistic(sample.values), [statistic(sample.resampled(rng)) for _ in range(resamples)])


def relabelling_p(
    statistic: Callable[[Values, Values], float],
    real: Sample,
    synthetic: Sample,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """One-sided p of a distance when whole patients exchange their labels; never below 1 / (resamples + 1)."""
    rng = generator(seed, "realism", "relabelling")
    observed = statistic(real.values, synthetic.values)
    values = np.concatenate([real.values, synthetic.values])
    names = np.concatenate([np.char.add("r", real.patients), np.char.add("s", synthetic.patients)])
    _, group = np.unique(names, return_inverse=True)
    chosen_size = real.patient_count
    groups = int(group.max()) + 1
    reached = 0
    for _ in range(resamples):
        first = np.zeros(groups, bool)
        first[rng.permutation(groups)[:chosen_size]] = True
        side = first[group]
        reached += statistic(values[side], values[~side]) >= observed - 1e-12
    return (reached + 1) / (resamples + 1)


def _interval(value: float, drawn: Sequence[float]) -> Estimate:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))
