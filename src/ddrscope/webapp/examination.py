"""What the page "Examine an image" shows of an image: the identified distortion, the marked part, the map."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.images.crops import Window
from ddrscope.networks import Network
from ddrscope.networks.architectures.guided import EMBEDDING
from ddrscope.results.identification import Identification
from ddrscope.results.vocabulary import CLEAN
from ddrscope.upscaling import enlarge
from ddrscope.viz.heatmap import heatmap_figure
from ddrscope.viz.upscaling import plane_figure
from ddrscope.webapp.images import render_to_array, square_around, to_display
from ddrscope.webapp.state import AppState

# Sides in pixels of the part that is enlarged, of the part that is placed on the map, and of the part whose heatmap is
# shown, and the most tiles of a heatmap. With these a CPU answers within seconds.
ENLARGED_SIDE = 160
_PLACED_SIDE, _HEATMAP_SIDE, _HEATMAP_TILES = 256, 512, 16
_NEIGHBOURS = 6

Gallery = list[tuple[NDArray[np.uint8], str]]


def describe_identification(identification: Identification) -> str:
    """The identified distortion in sentences, as HTML."""
    words = str(identification)
    sentences = [
        Markup("<strong>{}.</strong>").format(words[0].upper() + words[1:]),
        Markup("Most likely: {}, with a probability of {:.0%}.").format(
            identification.type.replace("_", " "), identification.probability
        ),
    ]
    if identification.type != CLEAN:
        sentences.append(
            Markup("Group: {}, with a probability of {:.0%}.").format(
                identification.group.replace("_", " and "), identification.group_probability
            )
        )
        sentences.append(
            Markup("Level {:.1f} of 5 (80 % interval {:.1f} to {:.1f}).").format(
                identification.level.value, identification.level.low, identification.level.high
            )
        )
    sentences.append(
        Markup("Novelty {:.2f}: {:.0%} of images with known distortions are more ordinary than this one.").format(
            identification.novelty, identification.novelty
        )
    )
    if identification.unseen:
        sentences.append(Markup("It is <strong>unlike the known distortions</strong>: do not rely on the type."))
    else:
        sentences.append(Markup("It resembles the known distortions."))
    return str(Markup("<p>{}</p>").format(Markup(" ").join(sentences)))


def draw_heatmap(state: AppState, pixels: NDArray[np.float32], identification: Identification) -> NDArray[np.uint8]:
    """The image, or its centre if it is large, beside a map of where each group of distortions is likely."""
    part = square_around(pixels, _HEATMAP_SIDE).of(pixels)
    name = "the image" if part.shape == pixels.shape else f"its central {part.shape[1]} x {part.shape[0]} pixels"
    distortions = state.identifier.map_distortions(part, limit=_HEATMAP_TILES)
    return render_to_array(heatmap_figure(part, distortions, identification, name))


def place_on_map(
    state: AppState, pixels: NDArray[np.float32], identification: Identification
) -> tuple[NDArray[np.uint8], Gallery]:
    """The map with the image's centre on it, and the known images nearest to it with captions."""
    known = state.embedding_map
    cells = known.embed(square_around(pixels, _PLACED_SIDE).of(pixels))
    mean = cells.mean(axis=0)
    nearest = known.nearest(mean, _NEIGHBOURS)
    figure = plane_figure(
        known.plane,
        known.project(mean[None])[0],
        f"identified: {identification}",
        cells=known.project(cells),
        nearest=nearest,
    )
    captions = [f"{known.plane.photos[index]}, {known.plane.degradations[index]}" for index in nearest]
    thumbnails = [to_display(known.read(index)) for index in nearest]
    return render_to_array(figure), list(zip(thumbnails, captions, strict=True))


def enlarge_both_ways(network: Network, pixels: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (H, W, 3) in 0..1 enlarged bicubically, and by the network, as uint8."""
    enlarged = enlarge(network, pixels)
    bicubic = resize(pixels, (enlarged.shape[0], enlarged.shape[1])).clip(0, 1)
    return np.rint(bicubic * 255).astype(np.uint8), enlarged.astype(np.uint8)


def mark(pixels: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """The image with a frame of a white and a black line around a part of it."""
    marked = pixels.copy()
    line = max(round(max(pixels.shape[:2]) / 400), 1)
    for inset, tone in ((0, 0.0), (line, 1.0)):
        rows = slice(window.top + inset, window.top + window.height - inset)
        columns = slice(window.left + inset, window.left + window.width - inset)
        part = marked[rows, columns]
        part[:line], part[-line:], part[:, :line], part[:, -line:] = tone, tone, tone, tone
    return marked


def explain_map(state: AppState) -> str:
    """How to read the map, as HTML."""
    text = Markup(
        "<p>The map shows the embedding that steers {}: {} numbers, of which the two main directions are drawn. Grey: parts of the "
        "central {} pixels of your image; star: their mean. Ringed: the known images nearest in all dimensions. These were shrunk by "
        "{} before they were degraded, as the network expects its input: a photograph straight from a camera is softer, and lies "
        "towards blur.</p>"
    )
    return str(text.format(state.map_network.name, EMBEDDING, _PLACED_SIDE, state.map_network.scale))


def explain_enlarging(state: AppState) -> str:
    """Why only a part is enlarged, and how to enlarge the whole image, as HTML."""
    text = Markup(
        "<p>Only a square of {} pixels is enlarged here (x{}), so that the answer comes within seconds. To enlarge the whole image: "
        "<code>ddrscope upscale image.jpg --network {} --out large</code></p>"
    )
    return str(text.format(ENLARGED_SIDE, state.network.scale, state.network.name))
