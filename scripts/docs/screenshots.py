"""Take screenshots of the pages of a running `ddrscope serve` for docs/how-to/serve.md, wide and narrow.

    ddrscope serve --results look --results scores
    python -m scripts.docs.screenshots http://127.0.0.1:7860/ docs/figures

Needs Debian's chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image, ImageColor
from playwright.sync_api import Page, sync_playwright

from ddrscope.viz.style import OKABE_ITO

WIDTHS = (1280, 390)
# Maximum height of a screenshot in pixels, by width, and its number of colors.
LONGEST, COLORS = {1280: 2100, 390: 2400}, 144
# Wide screenshots are shrunk to this width in pixels: the docs show them no wider.
MAX_WIDTH = 760


def main(url: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for width in WIDTHS:
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.set_default_timeout(100_000)
            page.goto(url)
            for name, show in (("examine", examine), ("compare", compare), ("degradations", degrade)):
                show(page)
                page.mouse.move(0, 0)
                page.evaluate("scrollTo(0, 0)")
                page.wait_for_timeout(1500)
                write_screenshot(page.screenshot(full_page=True), folder / f"web-{name}-{width}.png", LONGEST[width])
            page.close()
        browser.close()


def examine(page: Page) -> None:
    page.locator("#examine-examples").get_by_role("button", name="Thumbnail 1").click()
    page.locator("#examine-slider img").nth(1).wait_for(state="attached")
    page.locator("#examine-slider").scroll_into_view_if_needed()
    page.wait_for_timeout(1000)


def compare(page: Page) -> None:
    open_tab(page, "Compare networks")
    page.get_by_role("combobox", name="Result").click()
    page.get_by_role("option").first.click()
    page.locator("#compare-figure-0 img").wait_for()


def degrade(page: Page) -> None:
    open_tab(page, "Degrade an image")
    for family, times in (("blur", 4), ("blur", 6), ("noise", 8), ("noise", 12)):
        page.locator(f"#degrade-{family} input[type=range]").focus()
        for _ in range(times):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(4000)


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab").first.wait_for()
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():  # in a narrow window the tabs are in a menu
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown").get_by_text(name)
    tab.click()


def write_screenshot(png: bytes, path: Path, longest: int) -> None:
    """Write a screenshot cut to ``longest`` rows, with a reduced palette."""
    with Image.open(io.BytesIO(png)) as image:
        cut = image.convert("RGB").crop((0, 0, image.width, min(image.height, longest)))
    if cut.width > MAX_WIDTH:
        cut = cut.resize((MAX_WIDTH, round(cut.height * MAX_WIDTH / cut.width)), Image.Resampling.LANCZOS)
    # Marks in figures have few pixels, but their colors must stay.
    palette = Image.new("P", (1, 1))
    marks = [value for color in OKABE_ITO for value in ImageColor.getrgb(color)]
    palette.putpalette([*(cut.quantize(COLORS).getpalette() or [])[: 3 * COLORS], *marks])
    cut.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
