"""Lossy compression of video: the image is a frame, encoded and decoded by FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Literal

import numpy as np

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.errors import InputError, require_extra

# The encoders of FFmpeg, with options that give the same frame on every machine.
_ENCODERS = {
    "h264": ("libx264", {"preset": "veryfast", "bf": "0", "threads": "1"}),
    "hevc": ("libx265", {"preset": "veryfast", "x265-params": "bframes=0:log-level=none:pools=1:frame-threads=1"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "6", "b": "0", "threads": "1"}),
}
# Encoders have a smallest frame; a frame with half the colour resolution has even sides.
_MIN_SIDE = 64
# The frame that is kept: predicted from the one before, as most frames are.
_FRAMES = 2


@register
@dataclass(frozen=True)
class Video(Degradation):
    """Video compression: the second frame of a still scene, colour at half resolution (4:2:0)."""

    family = "video"
    stage = "after"
    level: Annotated[int, Range(1, 51, "constant rate factor; more is worse")]
    codec: Literal["h264", "hevc", "vp9"] = "h264"

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if pixels.shape[2] != 3:
            raise InputError(
                f"'{self.text}' needs an RGB image, not {pixels.shape[2]} channel(s): leave {self.family} out"
            )
        height, width = pixels.shape[:2]
        levels = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
        padding = [(0, max(_MIN_SIDE, length + length % 2) - length) for length in (height, width)]
        frame = np.pad(levels, [*padding, (0, 0)], mode="edge")
        return self._round_trip(frame)[:height, :width].astype(np.float32) / np.float32(255)

    def _round_trip(self, frame: np.ndarray) -> np.ndarray:
        with require_extra("video", f"'{self.text}'"):
            import av
        encoder, options = _ENCODERS[self.codec]
        file = BytesIO()
        with av.open(file, "w", format="matroska") as output:
            stream: av.VideoStream = output.add_stream(encoder, rate=25, options={**options, "crf": str(self.level)})  # type: ignore[assignment]
            stream.height, stream.width = frame.shape[:2]
            stream.pix_fmt = "yuv420p"
            for number in range(_FRAMES):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts = number
                output.mux(stream.encode(picture))
            output.mux(stream.encode())
        file.seek(0)
        with av.open(file, "r") as container:
            *_, last = container.decode(video=0)
        return np.asarray(last.to_ndarray(format="rgb24"))
