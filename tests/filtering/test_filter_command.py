"""`ddrscope filter` as a command: identification, output, refusals, resumed runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from commands import Done, call_command
from ddrscope.filtering import parse_expression
from ddrscope.filtering.deciding import borderline, decide
from ddrscope.filtering.tables import candidates, read_table
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import sha256
from filter_tables import failed, row, write_table

TILE = ("--tiles", 1, "--threads", 1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs as they are and strongly blurred, one in grey, one too small, one broken."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number, file in enumerate(find_images(bundled_photos())[:8:4]):
        image = Image.open(file.path).convert("RGB").crop((0, 0, 128, 128))
        image.save(folder / f"sharp{number}.png")
        image.filter(ImageFilter.GaussianBlur(6)).save(folder / "sub" / f"blurred{number}.png")
    image.convert("L").save(folder / "grey.png")
    image.resize((9, 9)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [row(f"/photos/{number:02d}.png", level=number / 10) for number in range(40)]
    return write_table(tmp_path / "findings.parquet", [*rows, failed("/photos/broken.png")])


def run(*words: object, code: int = 0) -> Done:
    done = call_command("filter", *words)
    assert done.returncode == code, done.stderr
    return done


def refused(*words: object) -> str:
    (line,) = run(*words, code=2).stderr.splitlines()
    return str(line)


@pytest.mark.slow
def test_images_are_identified_sorted_and_moved(photos: Path, tmp_path: Path) -> None:
    words = (photos, "--reject", "blur_sigma > 4.5", *TILE)
    before, out = {path.name: path.read_bytes() for path in photos.rglob("*.png")}, tmp_path / "out"
    shown = run(*words, "--dry-run").stdout
    assert shown.count("reject ") == 2 and "blurred0.png" in shown and not out.exists()

    summary = json.loads(run(*words, "--out", out, "--json").stdout)
    assert (summary["images"], summary["rejected"], summary["errors"]) == (7, 2, 2)
    assert {path.name for path in map(Path, (out / "reject.txt").read_text().split())} == {
        "blurred0.png",
        "blurred1.png",
    }
    assert {path.name for path in map(Path, (out / "error.txt").read_text().split())} == {"small.png", "broken.png"}
    # More images are added to a finished list.
    Image.open(photos / "sharp0.png").rotate(90).save(photos / "new.png")
    assert json.loads(run(*words, "--out", out, "--json", "--resume").stdout)["images"] == 8
    (photos / "new.png").unlink()

    # The table of the run serves for other expressions.
    run(out / "identification.parquet", "--reject", "level > 4.9", "--out", tmp_path / "other")
    moved = tmp_path / "moved"
    for more in ((), ("--resume",)):
        run(*words, "--out", moved, "--move", *more)
        assert {path.name for path in (moved / "rejected").rglob("*.png")} == {"blurred0.png", "blurred1.png"}
        assert (moved / "rejected" / "sub" / "blurred0.png").is_file()
        where = [*photos.rglob("*.png"), *(moved / "kept").rglob("*.png"), *(moved / "rejected").rglob("*.png")]
        assert Counter(path.name for path in where) == Counter(before.keys())
        assert all(path.read_bytes() == before[path.name] for path in where)
    with Image.open(moved / "borderline.png") as sheet:
        assert min(sheet.size) > 100


@pytest.mark.slow
def test_the_table_of_a_continued_run_moves_no_other_files(photos: Path, tmp_path: Path) -> None:
    """The folder of a run may come from elsewhere."""
    words = (photos / "sub", "--reject", "unseen", "--out", tmp_path / "out", "--move", *TILE)
    run(photos, *words[1:])
    out, secret = tmp_path / "out", photos.parent / "secret.png"
    Image.new("RGB", (20, 20)).save(secret)
    path = out / "identification.parquet"
    write_table(path, [*pd.read_parquet(path).to_dict("records"), row(secret)])
    manifest = path.with_name(f"{path.name}.manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"sha256": sha256(path)}))
    done = run(photos, *words[1:], "--resume")
    assert secret.is_file() and "outside of the images" in done.stderr


def test_a_dry_run_prints_counts_and_first_reasons(table: Path) -> None:
    shown = run(table, "--reject", "level > 2", "--dry-run").stdout.splitlines()
    assert shown[0] == "reject /photos/21.png: level 2.1 > 2"
    assert len(shown) == 12 and "9 more" in shown[-2]
    assert "21 kept, 19 rejected, 1 with an error" in shown[-1] and "level > 2 (19)" in shown[-1]


def test_output(table: Path, tmp_path: Path) -> None:
    done = run(
        table, "--reject", "level > 2", "--reject", "level < 0.15", "--out", tmp_path / "out", "--list", "--json"
    )
    assert json.loads(done.stdout) == {
        "out": str(tmp_path / "out"),
        "images": 41,
        "kept": 19,
        "rejected": 21,
        "errors": 1,
        "reject": ["level > 2", "level < 0.15"],
        "matches": {"level > 2": 19, "level < 0.15": 2},
        "notes": [],
    }
    assert "/photos/broken.png: is corrupt" in done.stderr


@pytest.mark.parametrize(
    "expression",
    [
        "", " ", "level = 1", "(level := 1)", "levle > 1", "type > 1", "type < 'a'", "level == 'x'", "unseen > 1", "level",
        "1 < 2", "len(type) > 1", "type.x == 'a'", "level[0] > 1", "level > 1e999", f"level > {'9' * 900}", "not " * 60 + "unseen",
        "(" * 400 + "unseen", "level > (1", "level > 1 2", "level in (1, 2)", "level + 1 > 2", "level > 1\nimport os", "x" * 5000,
    ],
)  # fmt: skip
def test_a_bad_expression_gives_one_line(table: Path, tmp_path: Path, expression: str) -> None:
    assert "--reject" in refused(table, "--reject", expression, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_expression_is_checked_before_images_are_identified(photos: Path, tmp_path: Path) -> None:
    line = refused(photos, "--reject", "blurr_sigma > 1", "--out", tmp_path / "out")
    assert "blurr_sigma" in line and not (tmp_path / "out").exists()


def test_bad_usage_gives_one_line(table: Path, tmp_path: Path) -> None:
    reject, out = ("--reject", "unseen"), ("--out", tmp_path / "out")
    assert "--out" in refused(table, *reject)
    assert "--move" in refused(table, *reject, *out, "--move", "--copy")
    assert "--list" in refused(table, *reject, *out, "--move", "--list")
    assert "--tiles" in refused(table, *reject, *out, "--tiles", "0")
    assert "--reject" in refused(table, *out)
    assert "gone" in refused(tmp_path / "gone.parquet", *reject, *out)
    run(table, *reject, *out)
    assert "--resume" in refused(table, *reject, *out)


def test_a_sheet_of_odd_images(tmp_path: Path) -> None:
    """Grey, tiny, thin, huge, deep and gone: each gets a square."""
    rng = np.random.default_rng(0)
    shapes = {"grey": (40, 40), "dot": (1, 1, 3), "wide": (2, 3000, 3), "tall": (3000, 1, 3), "huge": (3000, 4000, 3)}
    rows = []
    for name, shape in shapes.items():
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / f"{name}.png")
        rows.append(row(tmp_path / f"{name}.png", level=2.1))
    Image.fromarray(rng.integers(0, 65536, (30, 30), np.uint16)).save(tmp_path / "deep$^_{[日本.png")
    Image.new("RGBA", (30, 30), (255, 0, 0, 0)).save(tmp_path / "transparent.png")
    names = ("deep$^_{[日本.png", "transparent.png", "gone.png", "n" * 200 + ".png")
    rows += [row(tmp_path / name, level=1.9) for name in names]
    table = write_table(tmp_path / "t.parquet", rows)
    run(table, "--reject", "level > 2", "--out", tmp_path / "out")
    with Image.open(tmp_path / "out" / "borderline.png") as sheet:
        sheet.load()
        assert 200 < sheet.width < 3000 and 200 < sheet.height < 3000


def test_the_sheet_shows_the_nearest_of_both_sides(table: Path) -> None:
    conditions = [parse_expression("level > 2 and probability > 0.1")]
    decided = [decide(each, conditions) for each in candidates(read_table(table), ["level", "probability"])]
    kept, rejected = borderline(decided, 24)
    levels = [[each.candidate.values["level"] for each in side] for side in (kept, rejected)]
    assert levels == [
        pytest.approx([2.0 - step / 10 for step in range(11)]),
        pytest.approx([2.0 + step / 10 for step in range(1, 11)]),
    ]
    assert kept[1].nearest == "level 1.9 <= 2"
    few = borderline(decided, 6)
    assert [len(side) for side in few] == [3, 3]
