"""The page "What is wrong with my image": what is found, where, its place on the map, and the image enlarged."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.networks.architectures.guided import EMBEDDING
from ddrscope.results.identification import CLEAN, Identification
from ddrscope.viz.heatmap import heatmap_figure
from ddrscope.viz.upscaling import map_figure
from ddrscope.webapp.images import SUFFIXES, Source, complaint, drawn, photographs, to_show
from ddrscope.webapp.state import ENLARGED, MAPPED, PLACED, TILES, AppState, Square, enlarged_both_ways, square

# Bundled photographs and what is done to them to have something to look at.
EXAMPLES = {
    "flower": "blur:2.5", "coffee": "noise:25", "chelsea": "jpeg:12", "china": "motion_blur:15", "wine": "pixelate:4", "sunset": "clean",
}  # fmt: skip
NEIGHBOURS = 6
PLAN = "What is found shows here: first the verdict, then where, then the map, then the enlarged place."


def examine_page(desk: AppState) -> None:
    """Lay out the page inside the `gr.Blocks` that is open."""
    images = photographs()
    examples = [Source(Path(str(images[name].path)), degradation) for name, degradation in EXAMPLES.items()]
    chosen = gr.State(None)
    limit = f"up to {desk.limits.megabytes:g} MB and {desk.limits.megapixels:g} megapixels"
    with gr.Row():
        with gr.Column(min_width=300):
            upload = gr.File(label=f"Your image ({limit})", file_types=SUFFIXES, height=170, elem_id="examine-upload")
            gallery = gr.Gallery(
                [(to_show(one.read(desk.limits)), f"{name}, {one.degradation}") for name, one in zip(EXAMPLES, examples, strict=True)],
                label="Or one of ours, degraded on purpose", columns=3, height="auto", object_fit="contain", allow_preview=False,
                interactive=False, buttons=[], format="png", elem_id="examine-examples",
            )  # fmt: skip
            shown = gr.Image(
                label="The image; the frame is what is enlarged (click to move it)", interactive=False, format="png",
                buttons=["fullscreen"], alt_text="The image that is looked at, with a frame around the place that is enlarged",
                elem_id="examine-shown",
            )  # fmt: skip
        with gr.Column(min_width=300):
            verdict = gr.HTML(f"<p>{PLAN}</p>", label="Verdict", elem_id="examine-verdict", elem_classes="words")
            types = gr.Label(
                label="Probability that each is present (they need not sum to 1)",
                num_top_classes=6,
                elem_id="examine-types",
            )
            where = gr.Image(
                label="Where", interactive=False, format="png", buttons=["download", "fullscreen"],
                alt_text="The image beside a map of where each kind of degradation is likely", elem_id="examine-where",
            )  # fmt: skip
    with gr.Row():
        with gr.Column(min_width=300):
            place = gr.Image(
                label=f"Its place among known degradation, as {desk.mapper.name} sees it", interactive=False, format="png",
                buttons=["download", "fullscreen"], alt_text="The image's place on the map of known degradation", elem_id="examine-map",
            )  # fmt: skip
            near = gr.Gallery(
                label="The known images nearest to it", columns=3, height="auto", object_fit="contain", allow_preview=False,
                interactive=False, buttons=[], format="png", elem_id="examine-near",
            )  # fmt: skip
            gr.HTML(f"<p>{_about_map(desk)}</p>", elem_classes="words")
        with gr.Column(min_width=300):
            slider = gr.ImageSlider(
                label=f"Enlarged: left bicubic, right {desk.network.name}", interactive=False, format="png", max_height=700,
                buttons=["download", "fullscreen"], elem_id="examine-slider",
            )  # fmt: skip
            divide = gr.Slider(
                0, 100, 50, step=1, label="Where the two meet, in percent from the left", elem_id="examine-divide"
            )
            across = gr.Slider(
                0, 100, 50, step=1, label="The place to enlarge: percent from the left", elem_id="examine-across"
            )
            down = gr.Slider(0, 100, 50, step=1, label="and percent from the top", elem_id="examine-down")
            again = gr.Button("Enlarge this place", elem_id="examine-again")
            gr.HTML(f"<p>{_about_enlarging(desk)}</p>", elem_classes="words")

    results = [verdict, types, where, place, near, slider]

    def examine(source: Source | None, across_percent: float, down_percent: float) -> Iterator[dict[Any, Any]]:
        """What is found, piece by piece as it is found."""
        yield dict.fromkeys(results) | {verdict: "<p>Looking …</p>"}
        try:
            pixels = _read(source, desk)
            frame = square(pixels, ENLARGED, across_percent, down_percent)
            yield {shown: to_show(framed(pixels, frame))}
            finding = desk.identifier.identify(pixels)
            yield {
                verdict: words(finding),
                types: {name.replace("_", " "): value for name, value in finding.probabilities.items()},
            }
            piece = square(pixels, MAPPED).of(pixels)
            distortions = desk.identifier.map_distortions(piece, limit=TILES)
            part = (
                "the image" if piece.shape == pixels.shape else f"its middle {piece.shape[1]} x {piece.shape[0]} pixels"
            )
            yield {where: drawn(heatmap_figure(piece, distortions, finding, part))}
            yield dict(zip((place, near), _placed(desk, pixels, finding), strict=True))
            yield {slider: enlarged_both_ways(desk.network, frame.of(pixels))}
        except InputError as error:
            told = complaint(error)
            yield {verdict: f"<p>{told.message}</p>"}
            raise told from None

    def enlarge_again(source: Source | None, across_percent: float, down_percent: float) -> dict[Any, Any]:
        try:
            pixels = _read(source, desk)
            frame = square(pixels, ENLARGED, across_percent, down_percent)
            return {shown: to_show(framed(pixels, frame)), slider: enlarged_both_ways(desk.network, frame.of(pixels))}
        except InputError as error:
            raise complaint(error) from None

    def point_at(source: Source | None, event: gr.SelectData) -> tuple[float, float]:
        """The place clicked at, in percent."""
        try:
            height, width = to_show(_read(source, desk)).shape[:2]
        except InputError as error:
            raise complaint(error) from None
        x, y = event.index
        return round(100 * x / width), round(100 * y / height)

    def example(event: gr.SelectData) -> tuple[Source, None, int, int]:
        return examples[event.index], None, 50, 50

    def uploaded(path: str) -> tuple[Source, None, int, int]:
        """The image, and room for the next one to be dropped."""
        return Source(Path(path)), None, 50, 50

    heavy: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 1, "api_visibility": "private"}
    light: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    looked_at = {"fn": examine, "inputs": [chosen, across, down], "outputs": [shown, *results], **heavy}
    enlarged = {"fn": enlarge_again, "inputs": [chosen, across, down], "outputs": [shown, slider], **heavy}
    upload.upload(uploaded, upload, [chosen, upload, across, down], **light).success(**looked_at)
    gallery.select(example, None, [chosen, upload, across, down], **light).success(**looked_at)
    shown.select(point_at, chosen, [across, down], **light).success(**enlarged)
    again.click(**enlarged)
    divide.change(lambda percent: gr.ImageSlider(slider_position=percent), divide, slider, **light)


def _read(source: Source | None, desk: AppState) -> NDArray[np.float32]:
    if source is None:
        raise InputError("there is none yet; drop one, or choose one of ours")
    return source.read(desk.limits)


def words(finding: Identification) -> str:
    """A finding in sentences, as HTML."""
    name = html.escape(finding.type.replace("_", " "))
    said = [f"<strong>{name}</strong>, with a probability of {finding.probability:.0%}."]
    if finding.type != CLEAN:
        group = html.escape(finding.group.replace("_", " and "))
        said.append(f"Group: {group}.")
        said.append(
            f"Level {finding.level.value:.1f} of 5 (80 % interval {finding.level.low:.1f} to {finding.level.high:.1f})."
        )
    said.append(
        f"Novelty {finding.novelty:.2f}: {finding.novelty:.0%} of images with known degradation are more ordinary than this one."
    )
    said.append(
        "It is <strong>unlike anything known</strong>: distrust the type."
        if finding.unseen
        else "So it is like what is known."
    )
    return f"<p>{' '.join(said)}</p>"


def framed(pixels: NDArray[np.float32], frame: Square) -> NDArray[np.float32]:
    """The image with a white line around a part of it, and a black one around that."""
    marked = pixels.copy()
    line = max(round(max(pixels.shape[:2]) / 400), 1)
    for inset, tone in ((0, 0.0), (line, 1.0)):
        rows = slice(frame.top + inset, frame.top + frame.height - inset)
        columns = slice(frame.left + inset, frame.left + frame.width - inset)
        part = marked[rows, columns]
        part[:line], part[-line:], part[:, :line], part[:, -line:] = tone, tone, tone, tone
    return marked


def _placed(
    desk: AppState, pixels: NDArray[np.float32], finding: Identification
) -> tuple[NDArray[np.uint8], list[tuple[NDArray[np.uint8], str]]]:
    """The map with the image's middle on it, and its nearest neighbours with captions."""
    known = desk.known
    cells = known.embed(square(pixels, PLACED).of(pixels))
    mean = cells.mean(axis=0)
    near = known.nearest(mean, NEIGHBOURS)
    figure = map_figure(
        known, known.plane.transform(mean[None])[0], f"found: {finding}", cells=known.plane.transform(cells), near=near
    )
    thumbnails = [
        (to_show(known.image(index)), f"{known.photos[index].photo}, {known.degradations[index]}") for index in near
    ]
    return drawn(figure), thumbnails


def _about_map(desk: AppState) -> str:
    return (
        f"The map is of what steers {html.escape(desk.mapper.name)}: {EMBEDDING} numbers, of which the two main "
        f"directions are drawn. Grey: places in the middle {PLACED} pixels of your image; star: their mean. Ringed: the known images "
        f"nearest in all numbers. Those were shrunk {desk.mapper.scale} times before they were degraded, as the network expects its "
        "input: a photograph as it comes from a camera is softer, and lies towards blur."
    )


def _about_enlarging(desk: AppState) -> str:
    return (
        f"Only a square of {ENLARGED} pixels is enlarged here ({desk.network.scale} times), so that the answer comes within seconds. The "
        f"whole image: <code>ddrscope upscale image.jpg --network {html.escape(desk.network.name)} --out large</code>"
    )
