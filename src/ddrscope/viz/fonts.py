"""Figures whose texts may hold names in any script: other installed fonts stand in, and what none of them draws is a box."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib.figure import Figure as PlainFigure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from ddrscope.errors import escaped

BOX = "\N{WHITE SQUARE}"
# Families that served before, with a file of each: opening all fonts of a machine takes a while.
_served: dict[str, str] = {}


class Figure(PlainFigure):
    """A figure in which each text takes other installed fonts for the characters that its own lacks.

    Done where a figure is drawn, so that files, pages and notebooks need not think of it.
    """

    def draw(self, renderer: Any) -> None:
        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                # Labels of ticks do not exist before they are asked for.
                axis.get_ticklabels()
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            _choose_fonts(text)
        super().draw(renderer)


def plain(text: str) -> str:
    """A name as Matplotlib shall draw it: no formula between two dollars, and a box for what no font here can draw."""
    text = escaped(text)
    if not text.isascii():
        text = "".join(BOX if _family(char) is None else char for char in text)
    return text.replace("$", r"\$")


def _choose_fonts(text: Text) -> None:
    if text.get_text().isascii():
        return
    own = findfont(text.get_fontproperties())
    lacking = {char for char in text.get_text() if not char.isspace() and not _draws(own, char)}
    families = {_family(char) for char in lacking}
    if "" in families:
        # The regular font has more characters than the bold one.
        text.set_fontweight("normal")
    added = sorted(family for family in families if family and family not in text.get_fontfamily())
    if added:
        text.set_fontfamily([*text.get_fontfamily(), *added])


def _family(char: str) -> str | None:
    """The family that draws a character, empty for the default font; None where no installed font does."""
    if char.isascii() or _draws(findfont(FontProperties()), char):
        return ""
    return _search(char, len(fontManager.ttflist))


@cache
def _search(char: str, fonts: int) -> str | None:
    """As `_family`, of the installed ``fonts``: their number, so that a font that is added is found."""
    for family, path in [*_served.items(), *_fonts(fonts)]:
        if _draws(path, char):
            _served[family] = path
            return family
    return None


@cache
def _fonts(_: int) -> list[tuple[str, str]]:
    """A file of each installed family, upright and of usual weight where there is one."""
    found: dict[str, str] = {}
    for font in sorted(
        fontManager.ttflist, key=lambda font: (font.style != "normal", font.weight not in (400, "normal", "regular"))
    ):
        # The glyphs of Last Resort are boxes, for every character there is.
        if "lastresort" not in font.name.lower().replace(" ", ""):
            found.setdefault(font.name, font.fname)
    return list(found.items())


def _draws(path: str, char: str) -> bool:
    try:
        return bool(get_font(path).get_char_index(ord(char)))
    except (OSError, RuntimeError):
        # A font that was removed, or is corrupt.
        return False
