"""Figures of a report as vectors with real text. Loads ReportLab: only the report's job imports this."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from reportlab.graphics.shapes import Circle, Drawing, Group, Hatching, Line, Polygon, PolyLine, Rect, Shape, String
from reportlab.lib.colors import Color, HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth

from webapp.results.reports.content import Axis, Bars, Figure, Plot, Series
from webapp.results.reports.fonts import BOLD, REGULAR, printable

COLOURS = ("#1f5fd0", "#b34700", "#007a58", "#b0359f", "#343a42", "#5a24b8")
"""Colours of series on white (static/src/css/tokens.css, light theme)."""
INK, PALE, GRID = HexColor("#1a2026"), HexColor("#5a6671"), HexColor("#e4e8eb")
WHITE = HexColor("#ffffff")
PARTS: tuple[tuple[str, float | None], ...] = (
    ("#17458f", None),
    ("#f2bd8a", None),
    ("#ffffff", 45),
    ("#b565a7", None),
    ("#ffffff", 135),
    ("#ffffff", 0),
)
"""Fill and angle of the hatching of the parts of bars: apart from each other in grey, too."""
DARK = 0.55
"""Lightness of a fill below which words on it are white."""
SMALL, TITLE = 6.6, 8.2
"""Sizes of labels and titles, in points."""
DASHES: tuple[list[float] | None, ...] = (None, [4, 2], [1, 1.6], [6, 1.6, 1, 1.6])
THIN, THICK = 1.1, 2.2
GAP, ROW_GAP = 14.0, 8.0
WIDEST = 1.7
"""Width of a plot that stands alone, in heights."""
ROOM_FOR_WORDS = 58.0
"""For each name below a plot that stands alone."""
MOST_WORDS = 150.0
"""Width of names left of a plot."""
MARKER = 2.6
KEY, BETWEEN = 22.0, 12.0
"""Room for the key of an entry of the legend, and behind its words."""
Place = Callable[[tuple[float, float]], tuple[float, float]]


def drawing(figure: Figure, width: float, scale: float = 1.0) -> Drawing:
    """The plots of a figure in rows over `width` points, `scale` of their height tall, with the legend below."""
    rows = _rows(figure)
    lines = _legend_lines(_legend(figure, width), width)
    plots, rest = heights(figure, width)
    tall = scale * figure.height
    below = rest - ROW_GAP * (len(rows) - 1)
    made = Drawing(width, scale * plots + rest, initialFontName=REGULAR)
    for place, row in enumerate(rows):
        _row(made, row, below + (tall + ROW_GAP) * (len(rows) - 1 - place), width, tall)
    for place, line in enumerate(lines):
        at = 0.0
        for key, words in line:
            _key(made, key, at, below - 12 - 11 * place)
            made.add(_text(words, at + KEY, below - 14 - 11 * place))
            at += _entry_width(words)
    return made


def heights(figure: Figure, width: float) -> tuple[float, float]:
    """Of all rows of plots, which a scale changes, and of what lies between and below them, in points."""
    rows = len(_rows(figure))
    lines = len(_legend_lines(_legend(figure, width), width))
    return figure.height * rows, ROW_GAP * (rows - 1) + 11.0 * lines + (6 if lines else 0)


def _rows(figure: Figure) -> list[tuple[Plot | Bars, ...]]:
    return [figure.plots[start : start + figure.across] for start in range(0, len(figure.plots), figure.across)]


def _row(into: Drawing, plots: Sequence[Plot | Bars], y: float, width: float, height: float) -> None:
    margins = [_left(plot) for plot in plots]
    inner = (width - sum(margins) - GAP * (len(margins) - 1)) / len(margins)
    if len(margins) == 1 and isinstance(plots[0], Plot):
        inner = min(inner, max(WIDEST * height, ROOM_FOR_WORDS * len(plots[0].x.places)))
    x = 0.0
    for plot, margin in zip(plots, margins, strict=True):
        part = Group()
        if isinstance(plot, Bars):
            _bars(part, plot, margin, inner - 4, height)
        else:
            _plot(part, plot, margin, inner - 4, height)
        part.translate(x, y)
        into.add(part)
        x += margin + inner + GAP


def _text(
    words: str,
    x: float,
    y: float,
    *,
    anchor: str = "start",
    size: float = SMALL,
    bold: bool = False,
    colour: Color = INK,
) -> String:
    return String(
        x, y, printable(words), textAnchor=anchor, fontName=BOLD if bold else REGULAR, fontSize=size, fillColor=colour
    )


def _wide(words: str, size: float = SMALL) -> float:
    return float(stringWidth(printable(words), REGULAR, size))


def _left(plot: Plot | Bars) -> float:
    """Room for the words left of a plot."""
    if isinstance(plot, Bars):
        return min(MOST_WORDS, max((_wide(words) for words in plot.rows), default=0)) + 6
    named = min(MOST_WORDS, max((_wide(words) for words in plot.y.places), default=0))
    if plot.y.places:
        return named + 7 if named else 3
    return 20 + (9 if plot.y.words else 0)


# legend


def _legend(figure: Figure, width: float) -> list[tuple[Series | int, str]]:
    """Each name once, no wider than the figure: parts of bars, or series by colour, the filled one first."""
    found: dict[str, Series] = {}
    for plot in figure.plots:
        if isinstance(plot, Bars):
            return list(enumerate(plot.parts))
        for series in plot.series:
            if series.name and series.kind != "area" and "markers" not in getattr(found.get(series.name), "kind", ""):
                found[series.name] = series
    listed = sorted(found.values(), key=lambda series: (series.kind == "thin", series.colour, not series.filled))
    return [(series, _shortened(series.name, width - KEY - BETWEEN)) for series in listed]


def _entry_width(words: str) -> float:
    return KEY + _wide(words) + BETWEEN


def _legend_lines(entries: Sequence[tuple[Series | int, str]], width: float) -> list[list[tuple[Series | int, str]]]:
    lines: list[list[tuple[Series | int, str]]] = []
    used = width
    for key, words in entries:
        if used + _entry_width(words) > width:
            lines.append([])
            used = 0
        lines[-1].append((key, words))
        used += _entry_width(words)
    return lines


def _key(into: Drawing, key: Series | int, x: float, y: float) -> None:
    if isinstance(key, int):
        _bar(into, x + 4, y - 4, 14, 8, key)
        return
    if key.kind != "markers":
        into.add(_line([(x, y), (x + 18, y)], key))
    if "markers" in key.kind:
        _marker(into, x + 9, y, key)


# plots


def _plot(part: Group, plot: Plot, left: float, width: float, height: float) -> None:
    bottom, top = 28.0, 16.0 if plot.title else 6.0
    tall = height - bottom - top

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return (
            left + width * (point[0] - plot.x.low) / (plot.x.high - plot.x.low),
            bottom + tall * (point[1] - plot.y.low) / (plot.y.high - plot.y.low),
        )

    _across(part, plot.x, at, bottom, tall, width)
    _up(part, plot.y, at, left, width)
    if plot.title:
        size = min(TITLE, TITLE * width / float(stringWidth(printable(plot.title), BOLD, TITLE)))
        part.add(_text(plot.title, left, height - 9, size=size, bold=True))
    if plot.x.words:
        part.add(_text(plot.x.words, left + width / 2, 1, anchor="middle", colour=PALE))
    if plot.y.words:
        turned = Group(_text(plot.y.words, 0, 0, anchor="middle", colour=PALE))
        turned.translate(left - 22, bottom + tall / 2)
        turned.rotate(90)
        part.add(turned)
    if plot.guide == "diagonal" and plot.series:
        _guide(part, at((max(plot.x.low, plot.y.low),) * 2), at((min(plot.x.high, plot.y.high),) * 2))
    if plot.guide == "level":
        part.add(Line(*at((plot.x.low, 0)), *at((plot.x.high, 0)), strokeColor=PALE, strokeWidth=0.5))
    if plot.guide == "zero":
        part.add(Line(*at((0, plot.y.low)), *at((0, plot.y.high)), strokeColor=PALE, strokeWidth=0.8))
    part.add(Line(left, bottom, left + width, bottom, strokeColor=PALE, strokeWidth=0.6))
    part.add(Line(left, bottom, left, bottom + tall, strokeColor=PALE, strokeWidth=0.6))
    if not plot.series and plot.empty:
        part.add(_text(plot.empty, left + width / 2, bottom + tall / 2, anchor="middle", colour=PALE))
    for series in sorted(plot.series, key=lambda series: series.kind != "thin"):
        _series(part, series, at)


def _guide(part: Group, start: tuple[float, float], end: tuple[float, float]) -> None:
    part.add(Line(*start, *end, strokeColor=PALE, strokeWidth=0.5, strokeDashArray=[1, 2]))


def _across(part: Group, axis: Axis, at: Place, bottom: float, tall: float, width: float) -> None:
    if axis.places:
        room = width / len(axis.places) - 3
        for place, words in enumerate(axis.places):
            x = at((place, 0))[0]
            for row, line in enumerate(_fitted(words, room)):
                part.add(_text(line, x, bottom - 9 - 7.5 * row, anchor="middle"))
        return
    for value in axis.ticks or _ticks(axis.low, axis.high):
        x = at((value, 0))[0]
        part.add(Line(x, bottom, x, bottom + tall, strokeColor=GRID, strokeWidth=0.5))
        part.add(_text(_label(value), x, bottom - 9, anchor="middle"))


def _up(part: Group, axis: Axis, at: Place, left: float, width: float) -> None:
    if axis.places:
        for place, words in enumerate(axis.places):
            y = at((0, place))[1]
            part.add(Line(left, y, left + width, y, strokeColor=GRID, strokeWidth=0.5))
            part.add(_text(_shortened(words, MOST_WORDS), left - 4, y - 2.3, anchor="end"))
        return
    for value in axis.ticks or _ticks(axis.low, axis.high):
        y = at((0, value))[1]
        part.add(Line(left, y, left + width, y, strokeColor=GRID, strokeWidth=0.5))
        part.add(_text(_label(value), left - 3, y - 2.3, anchor="end"))


def _series(part: Group, series: Series, at: Place) -> None:
    points = [at(point) for point in series.points]
    colour = HexColor(COLOURS[series.colour % len(COLOURS)])
    if series.kind == "area":
        flat = [number for point in points for number in point]
        pale = Color(colour.red, colour.green, colour.blue, alpha=0.25)
        part.add(Polygon(flat, fillColor=pale, strokeColor=colour, strokeWidth=0.5))
        return
    if series.kind == "steps":
        points = list(_stepped(points))
    if series.kind != "markers" and len(points) > 1:
        part.add(_line(points, series))
    for place, ends in enumerate(series.intervals):
        if ends is not None:
            x, y = series.points[place]
            start, end = (
                (at((ends[0], y)), at((ends[1], y)))
                if series.interval_axis == "x"
                else (at((x, ends[0])), at((x, ends[1])))
            )
            part.add(Line(*start, *end, strokeColor=colour, strokeWidth=0.7))
    if "markers" in series.kind:
        for x, y in points:
            _marker(part, x, y, series)


def _stepped(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Across to the next place, then up to it."""
    height = points[0][1] if points else 0.0
    for x, y in points:
        yield x, height
        yield x, y
        height = y


def _line(points: Sequence[tuple[float, float]], series: Series) -> PolyLine:
    flat = [number for point in points for number in point]
    if series.kind == "thin":
        return PolyLine(flat, strokeColor=PALE, strokeWidth=0.5)
    return PolyLine(
        flat,
        strokeColor=HexColor(COLOURS[series.colour % len(COLOURS)]),
        strokeWidth=THIN if series.dash < len(DASHES) else THICK,
        strokeDashArray=DASHES[series.dash % len(DASHES)],
    )


def _marker(part: Group | Drawing, x: float, y: float, series: Series) -> None:
    colour = HexColor(COLOURS[series.colour % len(COLOURS)])
    look = {"fillColor": colour if series.filled else WHITE, "strokeColor": colour, "strokeWidth": 0.9}
    far = 1.35 * MARKER
    shapes: tuple[Callable[[], Shape], ...] = (
        lambda: Circle(x, y, MARKER, **look),
        lambda: Rect(x - MARKER, y - MARKER, 2 * MARKER, 2 * MARKER, **look),
        lambda: Polygon([x - far, y, x, y + far, x + far, y, x, y - far], **look),
        lambda: Polygon([x - far, y - MARKER, x + far, y - MARKER, x, y + far], **look),
    )
    part.add(shapes[series.marker % len(shapes)]())


# bars


def _bars(part: Group, bars: Bars, left: float, width: float, height: float) -> None:
    bottom, top = 24.0, 16.0
    most = max((sum(counts) for counts in bars.counts), default=1) or 1
    slot = (height - bottom - top) / len(bars.rows)
    part.add(_text(bars.title, left, height - 9, size=TITLE, bold=True))
    part.add(_text(bars.words, left + width / 2, 1, anchor="middle", colour=PALE))
    for value in _ticks(0, most):
        x = left + width * value / most
        part.add(Line(x, bottom, x, height - top, strokeColor=GRID, strokeWidth=0.5))
        part.add(_text(_label(value), x, bottom - 9, anchor="middle"))
    for row, (words, counts) in enumerate(zip(bars.rows, bars.counts, strict=True)):
        y = height - top - slot * (row + 1) + 0.18 * slot
        part.add(_text(_shortened(words, MOST_WORDS), left - 4, y + 0.32 * slot - 2, anchor="end"))
        x = left
        for place, counted in enumerate(counts):
            long = width * counted / most
            if counted:
                _bar(part, x, y, long, 0.64 * slot, place)
                if _wide(str(counted)) + 4 < long:
                    _count(part, str(counted), x + long / 2, y + 0.32 * slot, place)
            x += long


def _bar(into: Group | Drawing, x: float, y: float, width: float, height: float, place: int) -> None:
    fill, angle = PARTS[place % len(PARTS)]
    into.add(Rect(x, y, width, height, fillColor=HexColor(fill), strokeColor=INK, strokeWidth=0.4))
    if angle is not None:
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        into.add(Hatching(spacings=2.4, angles=angle, xyLists=corners, strokeColor=PALE, strokeWidth=0.4))


def _count(part: Group, words: str, x: float, y: float, place: int) -> None:
    """A number in the middle of a bar, on white where the bar is hatched."""
    fill, angle = PARTS[place % len(PARTS)]
    if angle is not None:
        room = _wide(words) + 2
        part.add(Rect(x - room / 2, y - 4, room, 8, fillColor=WHITE, strokeColor=None))
    red, green, blue = HexColor(fill).rgb()
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < DARK
    part.add(_text(words, x, y - 2, anchor="middle", colour=WHITE if dark else INK))


# words and numbers


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, at most seven."""
    span = high - low
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-12)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value: float) -> str:
    return f"{round(value, 6):g}".replace("-", "−")


def _fitted(words: str, room: float) -> list[str]:
    """Words in at most two lines that fit; what does not fit ends with dots."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _wide(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], f"{lines[1]}…"]
    return [_shortened(line, room) for line in lines]


def _shortened(line: str, room: float) -> str:
    if _wide(line) <= room:
        return line
    while len(line) > 1 and _wide(f"{line}…") > room:
        line = line[:-1]
    return f"{line}…"
