"""The page "Degrade an image": an image under degradations of the visitor's choice, and its path across the map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.viz.upscaling import plane_figure
from ddrscope.webapp.images import (
    SUFFIXES,
    ImageSource,
    first_crops,
    render_to_array,
    square_around,
    to_display,
    visible_error,
)
from ddrscope.webapp.state import AppState

# Of a larger image, the centre of this many pixels a side is degraded: a visitor waits for every step.
MAX_SIDE = 512
_MAX_TRAIL = 100


@dataclass(frozen=True)
class SliderSpec:
    """The slider of one family of degradations; ``neutral`` is the level that changes nothing."""

    label: str
    low: float
    high: float
    step: float
    neutral: float


# By family, in the order in which they are applied: those that act before shrinking come first.
SLIDERS = {
    "blur": SliderSpec("Blur: sigma in pixels of the photograph", 0, 8, 0.25, 0),
    "noise": SliderSpec("Noise: sigma of 255", 0, 50, 1, 0),
    "jpeg": SliderSpec("JPEG quality (100: none)", 5, 100, 1, 100),
    "brightness": SliderSpec("Brightness: offset of 255", -100, 100, 5, 0),
}


@dataclass(frozen=True)
class TrailStep:
    """A degradation that was tried, and the image's position on the map under it."""

    degradation: str
    position: tuple[float, float]


def degrade_page(state: AppState) -> None:
    """Lay out the page inside the open `gr.Blocks`."""
    photos = {name: ImageSource(Path(str(file.path))) for name, file in first_crops().items()}
    first = next(iter(photos))
    source, trail = gr.State(photos[first]), gr.State(())
    with gr.Row():
        with gr.Column(min_width=300):
            photo = gr.Dropdown(list(photos), value=first, label="A bundled photograph", elem_id="degrade-photo")
            upload = gr.File(
                label=f"Or your own ({state.limits})", file_types=SUFFIXES, height=170, elem_id="degrade-upload"
            )
            sliders = [
                gr.Slider(
                    slider.low, slider.high, slider.neutral, step=slider.step, label=slider.label, elem_id=f"degrade-{family}"
                )
                for family, slider in SLIDERS.items()
            ]  # fmt: skip
            reset = gr.Button("Start over: no degradation, no trail", elem_id="degrade-reset")
        with gr.Column(min_width=300):
            text = gr.HTML("<p>Move a slider.</p>", label="Degradation", elem_id="degrade-text", elem_classes="words")
            shown = gr.Image(
                label="The degraded image, as the network gets it", interactive=False, format="png", buttons=["download", "fullscreen"],
                alt_text="The degraded image", elem_id="degrade-shown", height=320,
            )  # fmt: skip
            plane = gr.Image(
                label=f"Its path across the map of {state.map_network.name}", interactive=False, format="png",
                buttons=["download", "fullscreen"], alt_text="Path of the image on the map", elem_id="degrade-map",
            )  # fmt: skip
            gr.HTML(_about(state), elem_classes="words")

    def show(source: ImageSource, trail: tuple[TrailStep, ...], *levels: float) -> tuple[Any, ...]:
        degradation = degradation_text(dict(zip(SLIDERS, levels, strict=True)))
        try:
            degraded, position = _degrade(state, source, degradation)
        except InputError as error:
            raise visible_error(error) from None
        earlier = trail[:-1] if trail and trail[-1].degradation == degradation else trail
        positions = [step.position for step in earlier]
        figure = plane_figure(state.embedding_map.plane, np.array(position), f"current: {degradation}", trail=positions)
        new_trail = (*earlier, TrailStep(degradation, position))[-_MAX_TRAIL:]
        return _describe(degraded, degradation), _magnify(degraded), render_to_array(figure), new_trail

    def choose(photo: str) -> tuple[ImageSource, tuple[()]]:
        return photos[photo], ()

    def use_upload(path: str) -> tuple[ImageSource, None, tuple[()]]:
        """The image, an empty upload field, and no trail."""
        return ImageSource(Path(path)), None, ()

    def reset_levels() -> tuple[Any, ...]:
        return (), *(slider.neutral for slider in SLIDERS.values())

    light: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    update: dict[str, Any] = {
        "fn": show, "inputs": [source, trail, *sliders], "outputs": [text, shown, plane, trail],
        "concurrency_id": "heavy", "concurrency_limit": 1, **light,
    }  # fmt: skip
    gr.on([slider.change for slider in sliders], trigger_mode="always_last", **update)
    photo.input(choose, photo, [source, trail], **light).success(**update)
    upload.upload(use_upload, upload, [source, upload, trail], **light).success(**update)
    reset.click(reset_levels, None, [trail, *sliders], **light).success(**update)


def degradation_text(levels: dict[str, float]) -> str:
    """The text form of the sliders' levels by family; those that change nothing are omitted."""
    steps = [f"{family}:{level:g}" for family, level in levels.items() if level != SLIDERS[family].neutral]
    return "+".join(steps) or "clean"


def _degrade(state: AppState, source: ImageSource, degradation: str) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """The degraded image, and its position on the map."""
    pixels = source.read(state.limits)
    centre = square_around(pixels, MAX_SIDE).of(pixels)
    degraded = parse_degradation(degradation).apply(centre, 0, state.map_network.scale)
    mean = state.embedding_map.embed(degraded).mean(axis=0)
    x, y = state.embedding_map.project(mean[None])[0]
    return degraded, (float(x), float(y))


def _describe(degraded: NDArray[np.float32], degradation: str) -> str:
    height, width = degraded.shape[:2]
    text = Markup("<p>{} x {} pixels, each drawn as a square, <strong>{}</strong></p>")
    return str(text.format(width, height, degradation))


def _magnify(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A small image with each pixel as a square, so that a browser does not smooth it."""
    return to_display(pixels).repeat(4, axis=0).repeat(4, axis=1)


def _about(state: AppState) -> str:
    return (
        f"<p>At most the central {MAX_SIDE} pixels of the image are blurred, shrunk by {state.map_network.scale}, then given noise, "
        "JPEG and brightness, as the known images on the map were. Without degradation, a bundled photograph lies on its own clean "
        "point.</p>"
    )
