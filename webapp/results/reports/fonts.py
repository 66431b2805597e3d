"""The fonts of a report: Bitstream Vera, which ReportLab ships, so that a report looks the same everywhere."""

from __future__ import annotations

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
    """Text with every character the font has; others become question marks, so that none is lost without a trace."""
    return "".join(_printable(character) for character in words)


def _printable(character: str) -> str:
    if character == "\n":
        return character
    same = _SAME.get(character, character)
    return same if ord(same) in _GLYPHS else UNKNOWN
