"""Images in an object store: a real S3 server on this machine, spoken to as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from commands import call_command
from ddrscope.errors import InputError
from ddrscope.images import UnreadableImage, bundled_photos, find_images, read_ahead, read_image, remote
from ddrscope.io.files import sha256

PHOTO = bundled_photos() / "astronaut__1.png"
KEYS = (
    "clean/astronaut__1.png",
    "clean/below/tiny.PNG",
    "clean/below/broken.png",
    "clean/.hidden/a.png",
    "clean/notes.txt",
    "other/a.png",
)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # Here, since both take long to import.
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    store = boto3.client("s3")
    store.create_bucket(Bucket="photos")
    for key in KEYS:
        store.put_object(Bucket="photos", Key=key, Body=b"broken" if "broken" in key else PHOTO.read_bytes())
    # Another server than that of the test before.
    remote._file_system.cache_clear()
    yield "s3://photos"
    server.stop()


@pytest.mark.slow
def test_objects_are_found_as_files_are(bucket: str, tmp_path: Path) -> None:
    found = find_images([f"{bucket}/clean", PHOTO])
    assert [file.name for file in found] == [
        "below/broken.png",
        "below/tiny.PNG",
        "clean/astronaut__1.png",
        "photos/astronaut__1.png",
    ]
    assert found[1].path == f"{bucket}/clean/below/tiny.PNG" and found[2].photo == "clean/astronaut"
    assert [file.name for file in find_images([f"{bucket}/other/a.png"])] == ["a.png"]
    (tmp_path / "list.txt").write_text(f"# two\n{bucket}/other/a.png\n{PHOTO}\n")
    assert len(find_images([tmp_path / "list.txt"])) == 2
    for wrong in (f"{bucket}/nothing", "s3://no-such-bucket/x", "nonsense://x"):
        with pytest.raises(InputError, match=wrong.partition("://")[0]):
            find_images([wrong])


@pytest.mark.slow
def test_objects_are_read_as_files_are(bucket: str) -> None:
    broken, tiny = list(read_ahead(find_images([f"{bucket}/clean/below"])))
    assert broken.error and str(broken.error.path) == f"{bucket}/clean/below/broken.png" and broken.sha256
    assert tiny.image and (tiny.image.pixels == read_image(PHOTO).pixels).all() and tiny.sha256 == sha256(PHOTO)


@pytest.mark.slow
def test_an_object_that_vanishes_costs_its_row(bucket: str) -> None:
    (file,) = find_images([f"{bucket}/other"])
    import boto3

    boto3.client("s3").delete_object(Bucket="photos", Key="other/a.png")
    with pytest.raises(UnreadableImage, match="other/a.png"):
        read_image(file)


@pytest.mark.slow
def test_an_object_too_large_for_any_image_is_not_fetched_whole(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_OBJECT_BYTES", PHOTO.stat().st_size - 1)
    (file,) = find_images([f"{bucket}/other"])
    with pytest.raises(UnreadableImage, match="larger than"):
        read_image(file)


@pytest.mark.slow
def test_identify_a_bucket(bucket: str, tmp_path: Path) -> None:
    done = call_command("identify", f"{bucket}/clean", "--out", tmp_path / "x.parquet")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "x.parquet")
    assert (
        len(rows) == 3 and rows["error"].notna().sum() == 1 and rows["path"].str.startswith("s3://photos/clean/").all()
    )
