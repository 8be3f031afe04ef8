"""The result of upscaling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddrscope.errors import InputError
from ddrscope.images import read_source_image
from ddrscope.io.files import read_json
from ddrscope.io.paths import expand_path
from ddrscope.results.upscaling import UpscaledImage, UpscalingData
from ddrscope.upscaling.settings import SUMMARY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class UpscalingResult(UpscalingData):
    """What `ddrscope.upscale` did with each image.

    Attributes:
        notes: Warnings about the run as a whole, a sentence each.
        was_finished: Whether an earlier run had finished all images, so that nothing was done.
    """

    notes: tuple[str, ...] = ()
    was_finished: bool = False

    @classmethod
    def load(cls, folder: str | Path) -> UpscalingResult:
        """Read the result of an earlier run from its output directory. Raises `InputError` if there is none."""
        folder = expand_path(folder)
        try:
            read = read_json(folder / SUMMARY)
            images = tuple(map(UpscaledImage.from_json, read["images"]))
            return cls(str(read["out"]), str(read["network"]), int(read["scale"]), images)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{folder} holds no finished result of upscale: give its output directory") from None

    def plot(self, index: int = 0) -> Figure:
        """Draw one of the images beside its bicubic enlargement.

        Args:
            index: Which of ``images``.

        Raises:
            InputError: The image was not upscaled, or its files are gone.
        """
        from ddrscope.viz.upscaling import comparison_figure

        image = self.images[index]
        if image.out is None:
            raise InputError(f"{image.path} was not upscaled: {image.error}")
        source, enlarged = read_source_image(Path(image.path)), read_source_image(Path(image.out))
        title = Path(image.path).name + (f": {image.found}" if image.found else "")
        return comparison_figure(source.color, enlarged.color, self.network, title)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(max_rows=20)
