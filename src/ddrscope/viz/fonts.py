"""Figures with text in any script: missing characters are taken from other installed fonts, or drawn as a box."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib.figure import Figure as PlainFigure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from ddrscope.errors import escaped

BOX = "\N{WHITE SQUARE}"
# Families that were used before, with a file of each: opening all fonts of a machine is slow.
_served: dict[str, str] = {}


class Figure(PlainFigure):
    """A figure in which each text uses other installed fonts for the characters that its own font lacks.

    The fonts are chosen when the figure is drawn, so it works in files, pages and notebooks alike.
    """

    def draw(self, renderer: Any) -> None:
        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                # The labels of ticks are created by this call.
                axis.get_ticklabels()
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            _choose_fonts(text)
        super().draw(renderer)


def plain(text: str) -> str:
    """A name as text for Matplotlib: no formula between two dollars, a box for characters that no font has."""
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
    """The family that has a character, empty for the default font; None where no installed font has it."""
    if char.isascii() or _draws(findfont(FontProperties()), char):
        return ""
    return _search(char, len(fontManager.ttflist))


@cache
def _search(char: str, fonts: int) -> str | None:
    """As `_family`. ``fonts`` is the number of installed fonts, which invalidates the cache when one is added."""
    for family, path in [*_served.items(), *_fonts(fonts)]:
        if _draws(path, char):
            _served[family] = path
            return family
    return None


@cache
def _fonts(_: int) -> list[tuple[str, str]]:
    """A file of each installed family, upright and of normal weight where there is one."""
    files: dict[str, str] = {}
    for font in sorted(
        fontManager.ttflist, key=lambda font: (font.style != "normal", font.weight not in (400, "normal", "regular"))
    ):
        # The font Last Resort has a box for every character.
        if "lastresort" not in font.name.lower().replace(" ", ""):
            files.setdefault(font.name, font.fname)
    return list(files.items())


def _draws(path: str, char: str) -> bool:
    try:
        return bool(get_font(path).get_char_index(ord(char)))
    except (OSError, RuntimeError):
        # A font that was removed, or is corrupt.
        return False
