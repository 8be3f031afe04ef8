"""The page "Degradation it yourself": an image under degradation of one's choice, and its way across the map."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.viz.upscaling import map_figure
from ddrscope.webapp.images import SUFFIXES, Source, complaint, drawn, photographs, to_show
from ddrscope.webapp.state import AppState, square

# Pixels a side of the middle of an image that is degraded: a visitor waits for every step.
LARGEST = 512
LONGEST_TRAIL = 100
# Families with the label, the ends and the step of their slider, in the order they are applied: those that act before shrinking first.
SLIDERS = {
    "blur": ("Blur: sigma in pixels of the photograph", 0, 8, 0.25),
    "noise": ("Noise: sigma of 255", 0, 50, 1),
    "jpeg": ("JPEG quality (100: none)", 5, 100, 1),
    "brightness": ("Brightness: offset of 255", -100, 100, 5),
}  # fmt: skip
NEUTRAL = {"blur": 0, "noise": 0, "jpeg": 100, "brightness": 0}


@dataclass(frozen=True)
class Step:
    """A degradation that was tried, and the image's place on the map under it."""

    text: str
    place: tuple[float, float]


def degrade_page(desk: AppState) -> None:
    """Lay out the page inside the `gr.Blocks` that is open."""
    images = {name: Source(Path(str(file.path))) for name, file in photographs().items()}
    first = next(iter(images))
    chosen, trail = gr.State(images[first]), gr.State(())
    limit = f"up to {desk.limits.megabytes:g} MB and {desk.limits.megapixels:g} megapixels"
    with gr.Row():
        with gr.Column(min_width=300):
            name = gr.Dropdown(list(images), value=first, label="A photograph of ours", elem_id="degradation-photo")
            upload = gr.File(
                label=f"Or your own ({limit})", file_types=SUFFIXES, height=170, elem_id="degradation-upload"
            )
            sliders = [
                gr.Slider(low, high, NEUTRAL[family], step=step, label=label, elem_id=f"degradation-{family}")
                for family, (label, low, high, step) in SLIDERS.items()
            ]
            reset = gr.Button("Start again: no degradation, no trail", elem_id="degradation-reset")
        with gr.Column(min_width=300):
            said = gr.HTML(
                "<p>Move a slider.</p>", label="The degradation", elem_id="degradation-said", elem_classes="words"
            )
            shown = gr.Image(
                label="The degraded image, as the network gets it", interactive=False, format="png", buttons=["download", "fullscreen"],
                alt_text="The degraded image", elem_id="degradation-shown", height=320,
            )  # fmt: skip
            place = gr.Image(
                label=f"Its way across the map of {desk.mapper.name}", interactive=False, format="png",
                buttons=["download", "fullscreen"], alt_text="Path of the image on the map", elem_id="degradation-map",
            )  # fmt: skip
            gr.HTML(f"<p>{_about(desk)}</p>", elem_classes="words")

    def degrade(source: Source, before: tuple[Step, ...], *levels: float) -> tuple[str, Any, Any, tuple[Step, ...]]:
        text = degradation_text(dict(zip(SLIDERS, levels, strict=True)))
        try:
            pixels = source.read(desk.limits)
            small = parse_degradation(text).apply(square(pixels, LARGEST).of(pixels), 0, desk.mapper.scale)
            x, y = desk.known.plane.transform(desk.known.embed(small).mean(axis=0)[None])[0]
        except InputError as error:
            raise complaint(error) from None
        earlier = before[:-1] if before and before[-1].text == text else before
        figure = map_figure(desk.known, np.array([x, y]), f"now: {text}", trail=[step.place for step in earlier])
        words = f"<p>{_size(small)}, <strong>{html.escape(text)}</strong></p>"
        return words, _magnified(small), drawn(figure), (*earlier, Step(text, (x, y)))[-LONGEST_TRAIL:]

    def choose(photo: str) -> tuple[Source, tuple[()]]:
        return images[photo], ()

    def uploaded(path: str) -> tuple[Source, None, tuple[()]]:
        """The image, room for the next one to be dropped, and no trail."""
        return Source(Path(path)), None, ()

    def start_again() -> tuple[Any, ...]:
        return (), *NEUTRAL.values()

    light: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    degraded: dict[str, Any] = {
        "fn": degrade, "inputs": [chosen, trail, *sliders], "outputs": [said, shown, place, trail],
        "concurrency_id": "heavy", "concurrency_limit": 1, **light,
    }  # fmt: skip
    gr.on([slider.change for slider in sliders], trigger_mode="always_last", **degraded)
    name.input(choose, name, [chosen, trail], **light).success(**degraded)
    upload.upload(uploaded, upload, [chosen, upload, trail], **light).success(**degraded)
    reset.click(start_again, None, [trail, *sliders], **light).success(**degraded)


def degradation_text(levels: dict[str, float]) -> str:
    """The text form of what the sliders say, those left out that change nothing."""
    steps = [f"{family}:{level:g}" for family, level in levels.items() if level != NEUTRAL[family]]
    return "+".join(steps) or "clean"


def _magnified(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A small image with its pixels as squares, so that a browser does not smooth them."""
    return to_show(small).repeat(4, axis=0).repeat(4, axis=1)


def _size(small: NDArray[np.float32]) -> str:
    return f"{small.shape[1]} x {small.shape[0]} pixels, each drawn as a square"


def _about(desk: AppState) -> str:
    return (
        f"The middle {LARGEST} pixels of the image at most are blurred, shrunk {desk.mapper.scale} times, then given noise, JPEG "
        "and brightness: as the known images on the map were made. Without degradation, a photograph of ours lies on its own clean point."
    )
