"""The style of the pages: system fonts, the project's colours, one column in a narrow window."""

from __future__ import annotations

import gradio as gr

from ddrscope.viz.style import OKABE_ITO

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
CSS = """
.gradio-container { max-width: 1280px !important; }
.words { padding: 0 4px; line-height: 1.45; overflow-wrap: anywhere; }
.words h1 { font-size: 1.6em; font-weight: 700; margin: 0.2em 0; }
.words pre { overflow-x: auto; white-space: pre; font-size: 0.85em; }
.words small { opacity: 0.8; }
/* Above the content, not over it, where they would hide the titles of figures. */
label[data-testid="block-label"] { position: static !important; width: fit-content; max-width: calc(100% - 80px); }
.caption-label { white-space: normal !important; }
@media (max-width: 600px) { .grid-container { grid-template-columns: repeat(2, minmax(100px, 1fr)) !important; } }
"""


def theme() -> gr.themes.Base:
    """The default theme of gradio with system fonts, so that no font is downloaded."""
    blue = OKABE_ITO[0]
    return gr.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="gray", font=SANS, font_mono=MONO).set(
        button_primary_background_fill=blue, slider_color=blue, link_text_color=blue,
    )  # fmt: skip
