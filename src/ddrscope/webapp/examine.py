"""The page "Examine an image": the identified distortion, where it is, its place on the map, and a part enlarged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.webapp.examination import (
    ENLARGED_SIDE,
    describe_identification,
    draw_heatmap,
    enlarge_both_ways,
    explain_enlarging,
    explain_map,
    mark,
    place_on_map,
)
from ddrscope.webapp.images import SUFFIXES, ImageSource, first_crops, square_around, to_display, visible_error
from ddrscope.webapp.state import AppState

# Bundled photographs and their degradations, as examples.
EXAMPLES = {
    "flower": "blur:2.5", "coffee": "noise:25", "chelsea": "jpeg:12", "china": "motion_blur:15", "wine": "pixelate:4", "sunset": "clean",
}  # fmt: skip


class ExaminePage:
    """The elements of the page, laid out inside the open `gr.Blocks`, and what they do."""

    def __init__(self, state: AppState) -> None:
        self.state = state
        files = first_crops()
        self.examples = [ImageSource(Path(str(files[name].path)), text) for name, text in EXAMPLES.items()]
        self.source = gr.State(None)
        with gr.Row():
            with gr.Column(min_width=300):
                self._lay_out_input()
            with gr.Column(min_width=300):
                self._lay_out_finding()
        with gr.Row():
            with gr.Column(min_width=300):
                self._lay_out_map()
            with gr.Column(min_width=300):
                self._lay_out_enlargement()
        self._connect()

    def _lay_out_input(self) -> None:
        self.upload = gr.File(
            label=f"Your image ({self.state.limits})", file_types=SUFFIXES, height=170, elem_id="examine-upload"
        )
        captions = [f"{name}, {text}" for name, text in EXAMPLES.items()]
        thumbnails = [to_display(source.read(self.state.limits)) for source in self.examples]
        self.gallery = gr.Gallery(
            list(zip(thumbnails, captions, strict=True)), label="Or a bundled photograph, degraded on purpose", columns=3,
            height="auto", object_fit="contain", allow_preview=False, interactive=False, buttons=[], format="png",
            elem_id="examine-examples",
        )  # fmt: skip
        self.shown = gr.Image(
            label="The image; the framed part is enlarged (click to move it)", interactive=False, format="png",
            buttons=["fullscreen"], alt_text="The image, with a frame around the part that is enlarged", elem_id="examine-shown",
        )  # fmt: skip

    def _lay_out_finding(self) -> None:
        self.verdict = gr.HTML(
            "<p>Results appear here: the identified distortion, where it is, the map, and the enlarged part.</p>",
            label="Result", elem_id="examine-verdict", elem_classes="words",
        )  # fmt: skip
        self.types = gr.Label(
            label="Probability that each is present (they need not sum to 1)",
            num_top_classes=6,
            elem_id="examine-types",
        )
        self.heatmap = gr.Image(
            label="Where", interactive=False, format="png", buttons=["download", "fullscreen"],
            alt_text="The image beside a map of where each group of distortions is likely", elem_id="examine-where",
        )  # fmt: skip

    def _lay_out_map(self) -> None:
        self.plane = gr.Image(
            label=f"Its place among known degradations, in the embedding of {self.state.map_network.name}", interactive=False,
            format="png", buttons=["download", "fullscreen"], alt_text="The image's place on the map of known degradations",
            elem_id="examine-map",
        )  # fmt: skip
        self.nearest = gr.Gallery(
            label="The known images nearest to it", columns=3, height="auto", object_fit="contain", allow_preview=False,
            interactive=False, buttons=[], format="png", elem_id="examine-near",
        )  # fmt: skip
        gr.HTML(explain_map(self.state), elem_classes="words")

    def _lay_out_enlargement(self) -> None:
        self.slider = gr.ImageSlider(
            label=f"Enlarged: left bicubic, right {self.state.network.name}", interactive=False, format="png", max_height=700,
            buttons=["download", "fullscreen"], elem_id="examine-slider",
        )  # fmt: skip
        self.divider = gr.Slider(
            0, 100, 50, step=1, label="Where the two meet, in percent from the left", elem_id="examine-divide"
        )
        self.x_percent = gr.Slider(
            0, 100, 50, step=1, label="The part to enlarge: percent from the left", elem_id="examine-across"
        )
        self.y_percent = gr.Slider(0, 100, 50, step=1, label="and percent from the top", elem_id="examine-down")
        self.again = gr.Button("Enlarge this part", elem_id="examine-again")
        gr.HTML(explain_enlarging(self.state), elem_classes="words")

    def _connect(self) -> None:
        heavy: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 1, "api_visibility": "private"}
        light: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        inputs = [self.source, self.x_percent, self.y_percent]
        examine = {"fn": self.examine, "inputs": inputs, "outputs": [self.shown, *self._results()], **heavy}
        enlarge = {"fn": self.enlarge, "inputs": inputs, "outputs": [self.shown, self.slider], **heavy}
        chosen = [self.source, self.upload, self.x_percent, self.y_percent]
        self.upload.upload(self.use_upload, self.upload, chosen, **light).success(**examine)
        self.gallery.select(self.use_example, None, chosen, **light).success(**examine)
        self.shown.select(self.point_at, self.source, [self.x_percent, self.y_percent], **light).success(**enlarge)
        self.again.click(**enlarge)
        self.divider.change(lambda percent: gr.ImageSlider(slider_position=percent), self.divider, self.slider, **light)

    def _results(self) -> list[Any]:
        return [self.verdict, self.types, self.heatmap, self.plane, self.nearest, self.slider]

    def examine(self, source: ImageSource | None, x_percent: float, y_percent: float) -> Iterator[dict[Any, Any]]:
        """Show each result as soon as it is computed."""
        state = self.state
        yield dict.fromkeys(self._results()) | {self.verdict: "<p>Examining …</p>"}
        try:
            pixels = self._read(source)
            window = square_around(pixels, ENLARGED_SIDE, x_percent, y_percent)
            yield {self.shown: to_display(mark(pixels, window))}
            identification = state.identifier.identify(pixels)
            probabilities = {name.replace("_", " "): value for name, value in identification.probabilities.items()}
            yield {self.verdict: describe_identification(identification), self.types: probabilities}
            yield {self.heatmap: draw_heatmap(state, pixels, identification)}
            plane, nearest = place_on_map(state, pixels, identification)
            yield {self.plane: plane, self.nearest: nearest}
            yield {self.slider: enlarge_both_ways(state.network, window.of(pixels))}
        except InputError as error:
            visible = visible_error(error)
            # Its message is escaped already.
            yield {self.verdict: str(Markup("<p>{}</p>").format(Markup(visible.message)))}
            raise visible from None

    def enlarge(self, source: ImageSource | None, x_percent: float, y_percent: float) -> dict[Any, Any]:
        """Enlarge another part of the image."""
        try:
            pixels = self._read(source)
            window = square_around(pixels, ENLARGED_SIDE, x_percent, y_percent)
            enlarged = enlarge_both_ways(self.state.network, window.of(pixels))
            return {self.shown: to_display(mark(pixels, window)), self.slider: enlarged}
        except InputError as error:
            raise visible_error(error) from None

    def point_at(self, source: ImageSource | None, event: gr.SelectData) -> tuple[float, float]:
        """The clicked position in percent."""
        try:
            height, width = to_display(self._read(source)).shape[:2]
        except InputError as error:
            raise visible_error(error) from None
        x, y = event.index
        return round(100 * x / width), round(100 * y / height)

    def use_example(self, event: gr.SelectData) -> tuple[ImageSource, None, int, int]:
        """The chosen example, an empty upload field, and the centre."""
        return self.examples[event.index], None, 50, 50

    def use_upload(self, path: str) -> tuple[ImageSource, None, int, int]:
        """The image, an empty upload field, and the centre."""
        return ImageSource(Path(path)), None, 50, 50

    def _read(self, source: ImageSource | None) -> NDArray[np.float32]:
        if source is None:
            raise InputError("there is none yet; upload one, or choose an example")
        return source.read(self.state.limits)
