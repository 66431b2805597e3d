"""Time left, from what has been done so far."""

from __future__ import annotations

from collections import deque

SHOWN_FROM_FRACTION = 0.05
SHOWN_FROM_SECONDS = 20.0
RECENT_SECONDS = 60.0


class TimeLeft:
    """Estimates the time left of one attempt.

    The pace is measured from where this attempt began, since a resumed job did the first part in another. The
    whole attempt and its last minute are weighed equally: the first is steady, the second follows a slowdown.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def add(self, time: float, fraction: float) -> float | None:
        """Note progress and return the seconds left, None while it is too early to say.

        Parameters
        ----------
        time : float
            Seconds on a clock that does not jump.
        fraction : float
            Share of the work done, 0 to 1.
        """
        if self._first is None:
            self._first = (time, fraction)
        self._recent.append((time, fraction))
        while len(self._recent) > 2 and time - self._recent[1][0] >= RECENT_SECONDS:
            self._recent.popleft()
        elapsed, done = time - self._first[0], fraction - self._first[1]
        if fraction >= 1:
            return 0.0
        if done <= 0 or elapsed <= 0 or (done < SHOWN_FROM_FRACTION and elapsed < SHOWN_FROM_SECONDS):
            return None
        whole = (1 - fraction) * elapsed / done
        recent_elapsed = time - self._recent[0][0]
        recent_done = fraction - self._recent[0][1]
        if recent_done <= 0 or recent_elapsed <= 0:
            return whole
        return (whole + (1 - fraction) * recent_elapsed / recent_done) / 2
