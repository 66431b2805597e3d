"""Words in CSV files that people open in a spreadsheet."""

from __future__ import annotations


def plain_text(words: str) -> str:
    """Free text that a spreadsheet does not take for a formula: led by an apostrophe where it begins like one."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else words
