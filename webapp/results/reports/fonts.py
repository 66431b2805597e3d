"""The fonts of a report: Bitstream Vera, which ReportLab ships, so that a report looks the same everywhere."""

from __future__ import annotations

import unicodedata

from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD, ITALIC, BOLD_ITALIC = "Vera", "VeraBd", "VeraIt", "VeraBI"
UNKNOWN = "?"
_SAME = {"\u202f": "\u00a0", "\u2009": "\u00a0", "\t": " "}

for _name in (REGULAR, BOLD, ITALIC, BOLD_ITALIC):
    registerFont(TTFont(_name, f"{_name}.ttf"))
registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=ITALIC, boldItalic=BOLD_ITALIC)
_GLYPHS = frozenset(TTFont(f"{REGULAR}-glyphs", f"{REGULAR}.ttf").face.charToGlyph)


def printable(words: str) -> str:
    """Text with every character the font has.

    A letter with a mark that the font lacks stands without its mark; any other character becomes a question mark, so
    that none is lost without a trace. `replaced` names them.
    """
    return "".join(_printable(character) for character in unicodedata.normalize("NFC", words))


def replaced(words: str) -> set[str]:
    """The characters that `printable` changes, but for spaces."""
    return {one for one in unicodedata.normalize("NFC", words) if one not in _SAME and _printable(one) != one}


def script(character: str) -> str:
    """Word for the writing a character belongs to, such as Greek or Arabic; other signs are symbols."""
    name = unicodedata.name(character, "")
    if not name or unicodedata.category(character)[0] not in "LM":
        return "symbols"
    word = name.partition(" ")[0]
    return word if word == "CJK" else word.capitalize()


def _printable(character: str) -> str:
    if character == "\n":
        return character
    same = _SAME.get(character, character)
    if ord(same) in _GLYPHS:
        return same
    parts = unicodedata.normalize("NFD", same)
    marked = len(parts) > 1 and all(unicodedata.combining(mark) for mark in parts[1:])
    return parts[0] if marked and ord(parts[0]) in _GLYPHS else UNKNOWN
