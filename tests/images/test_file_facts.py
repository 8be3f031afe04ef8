from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddrscope.images.file_facts import FileFacts, quality_of, read_file_facts


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 95, 100])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_quality_and_sampling_with_which_pillow_saved(
    tmp_path: Path, photo: Image.Image, quality: int, sampling: str
) -> None:
    photo.save(tmp_path / "x.png", "JPEG", quality=quality, subsampling=sampling)
    assert read_file_facts(tmp_path / "x.png") == FileFacts("jpeg", quality, sampling)


def test_other_files(tmp_path: Path, photo: Image.Image) -> None:
    photo.convert("L").save(tmp_path / "grey.jpg", quality=60)
    assert read_file_facts(tmp_path / "grey.jpg") == FileFacts("jpeg", 60, None)
    for suffix in ("png", "webp", "bmp"):
        photo.save(tmp_path / f"x.{suffix}")
        assert read_file_facts(tmp_path / f"x.{suffix}") == FileFacts(suffix)
    (tmp_path / "none.jpg").write_bytes(b"")
    assert read_file_facts(tmp_path / "none.jpg") == FileFacts("jpg")
    assert read_file_facts(tmp_path / "missing.jpg") is None


def test_a_table_of_another_encoder_has_the_nearest_quality() -> None:
    even = np.full(64, 16)
    assert 70 < quality_of(even) < 95
    assert quality_of(2 * even) < quality_of(even)
