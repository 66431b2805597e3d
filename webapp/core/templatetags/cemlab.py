"""Template tags and filters that every page may use: ``{% load cemlab %}``.

Numbers follow three rules: a true minus sign, a value never without its interval and n, and nothing undefined
shown as a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from numbers import Real
from typing import Any

from django import template
from django.core.paginator import Page
from django.forms import BaseForm, BoundField, CheckboxInput
from django.forms.widgets import CheckboxSelectMultiple, RadioSelect
from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

MINUS = "−"
NARROW_SPACE = "\u202f"
FEWEST_SHOWN = 10
"""Below this n a value says more about chance than about the thing measured (ui.md, section 4)."""


# icons


@lru_cache(maxsize=1)
def _sheet() -> tuple[str, frozenset[str]]:
    text = get_template("components/icons.svg").render()
    return text, frozenset(re.findall(r'id="icon-([a-z-]+)"', text))


@register.simple_tag
def icon_sheet() -> SafeString:
    """All icons as SVG symbols, once at the top of a page."""
    return mark_safe(_sheet()[0])  # a file of this repository


@register.simple_tag
def icon(name: str, small: bool = False, label: str = "") -> SafeString:
    """One icon of ``components/icons.svg``; with `label` it speaks, without it is decoration.

    Raises
    ------
    ValueError
        If there is no such icon.
    """
    if name not in _sheet()[1]:
        raise ValueError(f"no icon is called {name!r}; see components/icons.svg")
    size = "icon icon-small" if small else "icon"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="#icon-{}"/></svg>', size, label, name)
    return format_html('<svg class="{}" aria-hidden="true"><use href="#icon-{}"/></svg>', size, name)


# numbers


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(float(value))


def _decimal(value: float, digits: int, signed: bool = False) -> str:
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


@register.filter
def decimal(value: Any, digits: int = 2) -> str:
    """``-0.5|decimal`` → ``−0.50``; anything that is no finite number → ``undefined``."""
    return _decimal(float(value), digits) if _is_number(value) else "undefined"


@register.filter
def signed(value: Any, digits: int = 2) -> str:
    """``0.17|signed`` → ``+0.17``."""
    return _decimal(float(value), digits, signed=True) if _is_number(value) else "undefined"


@register.filter
def count(value: Any) -> str:
    """``1704|count`` → ``1 704`` with a narrow space that does not break."""
    return f"{int(value):,}".replace(",", NARROW_SPACE).replace("-", MINUS) if _is_number(value) else "undefined"


@register.filter
def percent(value: Any, digits: int = 0) -> str:
    """``0.123|percent`` → ``12 %``."""
    return f"{_decimal(100 * float(value), digits)}\u00a0%" if _is_number(value) else "undefined"


@register.filter
def percent_number(value: Any) -> str:
    """``0.123|percent_number`` → ``12.3``, for bar widths; clipped to 0..100, 0 when undefined."""
    return f"{100 * min(1.0, max(0.0, float(value))):.1f}" if _is_number(value) else "0"


@register.filter
def bytes_size(value: Any) -> str:
    """``17040000|bytes_size`` → ``17.0 MB`` (powers of 1000)."""
    if not _is_number(value):
        return "undefined"
    size = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{_decimal(size, 1)} {unit}"
        size /= 1000
    return f"{_decimal(size, 1)} TB"


@register.filter
def duration(seconds: Any) -> str:
    """``29100|duration`` → ``8 h 05``; under an hour ``14 min``; under a minute ``40 s``."""
    if not _is_number(seconds):
        return "undefined"
    whole = max(0, round(float(seconds)))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d}"


@register.filter
def time_left(seconds: Any) -> str:
    """``840|time_left`` → ``14 min left``, rounded so that it does not flicker; nothing when unknown."""
    if not _is_number(seconds):
        return ""
    whole = max(0.0, float(seconds))
    if whole < 60:
        return "under 1 min left"
    return f"{duration(60 * math.ceil(whole / 60))} left"


@register.filter
def initials(name: str) -> str:
    """``"ruth.ames"|initials`` → ``RA``."""
    words = [word for word in re.split(r"[\W_]+", str(name).split("@")[0]) if word]
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else "".join(words)[:2]).upper()


# intervals


def _member(estimate: Any, name: str) -> Any:
    return estimate.get(name) if isinstance(estimate, Mapping) else getattr(estimate, name, None)


def interval_parts(
    estimate: Any, *, signed: bool = False, digits: int = 2, fewest: int = FEWEST_SHOWN
) -> dict[str, str]:
    """The words of an interval: `value`, `range`, `n`, or `undefined` and `reason`.

    Parameters
    ----------
    estimate : object or mapping with value, low, high, n and reason
        `detection.evaluation.intervals.Interval` or its JSON.
    signed : bool
        For differences: ``+0.17``.
    digits : int
    fewest : int
        Under this n no value is shown, since it would mean nothing.
    """
    if estimate is None:
        return {"undefined": "undefined", "reason": "not computed"}
    value, low, high = (_member(estimate, name) for name in ("value", "low", "high"))
    n = _member(estimate, "n")
    shown_n = f"n={count(n)}" if _is_number(n) else ""
    if _is_number(n) and 0 < n < fewest:
        return {"undefined": f"{shown_n}, too few", "reason": f"no value is shown under n={fewest}"}
    if not _is_number(value):
        reason = str(_member(estimate, "reason") or "no reason was recorded").removeprefix("undefined: ")
        return {"undefined": "undefined", "reason": reason, "n": shown_n}
    parts = {"value": _decimal(float(value), digits, signed), "n": shown_n}
    if _is_number(low) and _is_number(high):
        parts["range"] = f"[{_decimal(float(low), digits, signed)}, {_decimal(float(high), digits, signed)}]"
    else:
        parts["range"] = ""
        parts["reason"] = str(_member(estimate, "reason") or "no interval")
    return parts


@register.filter
def interval_text(estimate: Any) -> str:
    """The interval as plain text for exports, hints and titles: ``0.69 [0.58, 0.79] n=94``."""
    parts = interval_parts(estimate)
    if "undefined" in parts:
        return f"{parts['undefined']}: {parts['reason']}"
    return " ".join(part for part in (parts["value"], parts["range"] or parts["reason"], parts["n"]) if part)


@register.inclusion_tag("components/interval.html")
def interval(
    estimate: Any,
    url: str = "",
    signed: bool = False,
    digits: int = 2,
    fewest: int = FEWEST_SHOWN,
    title: str = "",
) -> dict[str, Any]:
    """``{% interval estimate url=cases_url %}`` → **0.69** [0.58, 0.79] n=94, a dotted link to the cases."""
    return {
        **interval_parts(estimate, signed=signed, digits=digits, fewest=fewest),
        "url": url,
        "title": title,
    }


# chips

CHIPS: dict[str, tuple[str, str, str]] = {
    "draft": ("Draft", "pencil", "idle"),
    "in_progress": ("In progress", "pencil", "idle"),
    "frozen": ("Frozen", "snowflake", "info"),
    "queued": ("Waiting", "clock", "idle"),
    "waiting": ("Waiting", "clock", "idle"),
    "running": ("Running", "play", "info"),
    "stopping": ("Stopping", "clock", "info"),
    "done": ("Complete", "check", "ok"),
    "complete": ("Complete", "check", "ok"),
    "ok": ("Complete", "check", "ok"),
    "unreviewed": ("Not looked at", "eye-off", "idle"),
    "accepted": ("Accepted", "check", "ok"),
    "annotated": ("Annotated", "check", "ok"),
    "failed": ("Stopped", "cross", "bad"),
    "stopped": ("Stopped", "cross", "bad"),
    "rejected": ("Rejected", "cross", "bad"),
    "refused": ("Refused", "cross", "bad"),
    "incomplete": ("Incomplete", "cross", "bad"),
    "cancelled": ("Cancelled", "bar", "idle"),
    "locked": ("Locked", "lock", "idle"),
    "candidate": ("Candidate", "models", "idle"),
    "promoted": ("Promoted", "flag", "ok"),
    "retired": ("Retired", "bar", "idle"),
    "needs_look": ("Needs look", "review", "warn"),
    "missed": ("Missed lesion", "review", "warn"),
    "warning": ("Warning", "warning", "warn"),
}


@register.inclusion_tag("components/status_chip.html")
def status_chip(state: str, label: str = "", icon_name: str = "", tone: str = "") -> dict[str, Any]:
    """A state as icon and word. Other words: ``{% status_chip "done" "Complete, 9 of 9 runs" %}``.

    `state` is a key of `CHIPS` (upper case and hyphens are understood). For a state of your own give `label`,
    `icon_name` and `tone` (idle, info, ok, warn, bad).

    Raises
    ------
    ValueError
        If the state is unknown and its label, icon or tone is not given.
    """
    key = str(state).lower().replace("-", "_").replace(" ", "_")
    known = CHIPS.get(key)
    if known is None:
        if not (label and icon_name and tone):
            raise ValueError(f"status_chip knows no state {state!r}: give label, icon_name and tone")
        known = (label, icon_name, tone)
    return {
        "state": key,
        "label": label or known[0],
        "icon_name": icon_name or known[1],
        "tone": tone or known[2],
    }


# forms


@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField,
    label: str = "",
    unit: str = "",
    help: str = "",
    preset: Any = None,
    reset_url: str = "",
) -> dict[str, Any]:
    """A form field with label, unit, help, error, and the diamond where its value is unlike the preset's.

    `preset` is the preset's value as the person would read it; None means there is no preset to differ from.
    """
    widget = bound.field.widget
    value = bound.value()
    changed = preset is not None and value is not None and not _same(value, preset)
    kind = "check" if isinstance(widget, CheckboxInput) else "choices"
    if not isinstance(widget, CheckboxInput | CheckboxSelectMultiple | RadioSelect):
        kind = "line"
    described = [
        f"{bound.auto_id}_{part}"
        for part, there in (("help", help or bound.help_text), ("error", bound.errors))
        if there
    ]
    attributes: dict[str, Any] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {
        "bound": bound,
        "control": bound.as_widget(attrs=attributes),
        "kind": kind,
        "label": label or bound.label,
        "unit": unit,
        "help": help or bound.help_text,
        "preset": preset,
        "changed": changed,
        "reset_url": reset_url,
    }


def _same(value: Any, preset: Any) -> bool:
    """Whether a form value equals a preset's, though one may be text and the other a number."""
    if str(value) == str(preset):
        return True
    try:
        return float(value) == float(preset)
    except (TypeError, ValueError):
        return False


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, Any]:
    """All errors of a form on top, each a link to its field; nothing when there is none."""
    entries = [
        {"target": form[name].id_for_label, "label": form[name].label, "message": message}
        for name, messages in form.errors.items()
        if name in form.fields
        for message in messages
    ]
    entries += [{"target": "", "label": "", "message": message} for message in form.non_field_errors()]
    return {"entries": entries}


# lists


@register.inclusion_tag("components/sort_head.html", takes_context=True)
def sort_head(context: template.Context, label: str, name: str, number: bool = False) -> dict[str, Any]:
    """A table head that sorts: ``?sort=name`` rising, ``?sort=-name`` falling, page 1 again."""
    query = context["request"].GET.copy()
    current = query.get("sort", context.get("sort", ""))
    order = {"name": "rising", f"-{name}": "falling"}.get("name" if current == name else current, "")
    query["sort"] = f"-{name}" if order == "rising" else name
    query.pop("page", None)
    return {"label": label, "order": order, "url": f"?{query.urlencode()}", "number": number}


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(context: template.Context, page: Page) -> dict[str, Any]:
    """``1 to 50 of 438`` with the two arrows; keeps the other parameters of the address."""

    def address(number: int) -> str:
        query = context["request"].GET.copy()
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    return {
        "first": page.start_index(),
        "last": page.end_index(),
        "total": page.paginator.count,
        "previous_url": address(page.previous_page_number()) if page.has_previous() else "",
        "next_url": address(page.next_page_number()) if page.has_next() else "",
    }
