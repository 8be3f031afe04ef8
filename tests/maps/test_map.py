"""`ddrscope map`: its files, its measures against those of the features held in memory, its page in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from commands import call_command
from ddrscope.embedding.gram import gram_matrix
from ddrscope.embedding.pca import pca_scores
from ddrscope.embedding.tsne import TsneMap
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import sha256, write_json
from ddrscope.maps import MapResult, map_features
from ddrscope.maps.feature_files import FeatureFiles
from ddrscope.maps.plane_knn import PlaneKnn
from ddrscope.metrics.chi import calinski_harabasz
from ddrscope.metrics.design import Design
from ddrscope.metrics.group_sums import GroupSums
from ddrscope.metrics.layer_measures import measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GROUPS = {"clean": "clean", "blurred": "blur:4", "noisy": "noise:20"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pooled features of crops of the bundled photographs, a file for each degradation."""
    folder = tmp_path_factory.mktemp("features")
    for file in find_images([bundled_photos()]):
        image, stem = Image.open(file.path), Path(file.path).stem
        for number, left in enumerate((0, 96, 192)):
            mark = "-" if "__" in stem else "__"
            image.crop((left, 64, left + 64, 128)).save(_made(folder / "crops") / f"{stem}{mark}{number}.png")
    found = {name: folder / f"{name}.parquet" for name in GROUPS}
    for name, degradation in GROUPS.items():
        images = ["--images", folder / "crops", "--degrade", degradation, "--crop", 64]
        features = ["--view", "pooled", "--layer", "body.15", "--out", found[name]]
        done = call_command("features", "srgan-wgr", *images, *features)
        assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def mapped(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("map") / "out"
    done = call_command(
        "map", *(f"{name}={path}" for name, path in files.items()), "--out", out, "--sample", 120, "--json"
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_the_command_writes_what_the_documents_say(files: dict[str, Path], mapped: tuple[Path, dict[str, Any]]) -> None:
    out, summary = mapped
    rows = pd.read_parquet(out / "map.parquet")
    wanted = pd.concat(
        [pd.read_parquet(path, columns=["picture"]).assign(group=name) for name, path in files.items()],
        ignore_index=True,
    )
    assert list(rows.columns) == ["picture", "group", "x", "y", "sampled"] and rows["x"].dtype == np.float32
    assert (
        rows["picture"].tolist() == wanted["picture"].tolist()
        and rows["group"].astype(str).tolist() == wanted["group"].tolist()
    )
    assert np.isfinite(rows[["x", "y"]].to_numpy()).all()
    assert rows.groupby("group", observed=True)["sampled"].sum().tolist() == [40, 40, 40]
    data = json.loads((out / "map.json").read_text())
    assert data["points"] == summary["points"] == len(rows) and [group["name"] for group in data["groups"]] == list(
        GROUPS
    )
    assert data["balanced"] and data["settings"]["sample"] == 120 and data["manifest"]["versions"]["openTSNE"]
    for name in ("map", "groups"):
        with Image.open(out / "figures" / f"{name}.png") as figure:
            assert min(figure.size) > 300
        assert (out / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    names = [f"{name}={path}" for name, path in files.items()]
    assert call_command("map", *names, "--out", out, "--sample", 120).returncode == 2
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = call_command("map", *names, "--out", out, "--sample", 120, "--resume", "--json")
    assert json.loads(again.stdout) == summary
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


@pytest.mark.slow
def test_python_gives_what_the_command_writes(
    files: dict[str, Path], mapped: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    result, written = map_features(files, sample=120, threads=1), MapResult.load(mapped[0])
    pd.testing.assert_frame_equal(result.to_frame(), written.to_frame())
    assert result.measures == written.measures and result.groups == written.groups
    assert [group.name for group in result.groups] == list(GROUPS) and len(result) == len(written) == result.measures.n
    assert result.codes.tolist() == written.codes.tolist() and result.xy.shape == (len(result), 2)
    assert result.sampled.sum() == result.sample_size == len(result.sampled_names) == 120
    assert "<iframe" in result._repr_html_() and result.plot().axes
    page = result.save(tmp_path / "saved")
    assert page.is_file() and pd.read_parquet(tmp_path / "saved" / "map.parquet").equals(result.to_frame())


def test_files_without_a_name_are_named_by_their_stems(files: dict[str, Path], tmp_path: Path) -> None:
    assert [group.name for group in map_features(list(files.values()), sample=20).groups] == list(GROUPS)
    other = tmp_path / "clean.parquet"
    shutil.copy(files["clean"], other)
    with pytest.raises(InputError, match="two files are called 'clean'"):
        map_features([files["clean"], other])


@pytest.mark.parametrize("damage", ["no json", "no table", "other table", "fewer points"])
def test_what_is_no_map_is_refused(mapped: tuple[Path, dict[str, Any]], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "map"
    shutil.copytree(mapped[0], folder)
    table = pq.read_table(folder / "map.parquet")
    if damage == "no json":
        (folder / "map.json").write_text("[]")
    elif damage == "no table":
        (folder / "map.parquet").write_bytes(b"PAR1")
    else:
        pq.write_table(table.drop_columns("x") if damage == "other table" else table[1:], folder / "map.parquet")
    with pytest.raises(InputError, match="no finished map"):
        MapResult.load(folder)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"sample": 4}, "`sample`=4"),
        ({"perplexity": 0.5}, "`perplexity`=0.5"),
        ({"perplexity": float("nan")}, "`perplexity`"),
        ({"photo_from": "exif"}, "EXIF"),
        ({"files": {}}, "`files`"),
    ],
)
def test_bad_parameters_name_the_remedy(files: dict[str, Path], options: dict[str, Any], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        map_features(**{"files": files} | options)


def test_measures_are_those_of_the_features_held_whole(
    files: dict[str, Path], mapped: tuple[Path, dict[str, Any]]
) -> None:
    tables = [pd.read_parquet(path) for path in files.values()]
    features = np.concatenate([np.stack(table["features"].to_list()) for table in tables])
    images, groups = (
        np.concatenate([table["picture"] for table in tables]),
        np.repeat(list(files), [len(table) for table in tables]),
    )
    gram = gram_matrix(features, standardize=True)
    wanted = measure(pca_scores(gram), gram, Design(images, images, groups), permutations=1)
    for key in ("chi_pca", "degradation_share", "content_share", "interaction_share"):
        assert mapped[1]["measures"][key] == pytest.approx(getattr(wanted, key).value, rel=1e-9), key


def test_placed_points_lie_where_their_groups_do(mapped: tuple[Path, dict[str, Any]]) -> None:
    measures = mapped[1]["measures"]
    assert measures["knn_plane_sampled"] > 0.7
    assert abs(measures["knn_plane_placed"] - measures["knn_plane_sampled"]) < 0.12


def features(folder: Path, name: str, **settings: Any) -> Path:
    """A file of features as `ddrscope features` leaves it, with its manifest."""
    random = np.random.default_rng(len(name))
    path = folder / f"{name}.parquet"
    rows = [{"picture": f"{row}.png", "features": random.normal(size=4).astype(np.float32)} for row in range(8)]
    pd.DataFrame(rows).to_parquet(path)
    network = {"name": settings.pop("network", "one"), "sha256": settings.pop("weights", "1" * 64)}
    known = {"network": network, "layer": "body.1", "view": "pooled", "crop": 64, "precision": "float32"} | settings
    write_json(folder / f"{name}.parquet.manifest.json", {"settings": known, "sha256": sha256(path)})
    return path


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"network": "two", "weights": "2" * 64}, "network = one .*, not two"),
        ({"layer": "body.2"}, "layer = body.1, not body.2"),
        ({"view": "flattened"}, "view = pooled, not flattened"),
        ({"crop": 32}, "crop = 64, not 32"),
        ({"precision": "bfloat16"}, "precision = float32, not bfloat16"),
    ],
)
def test_files_of_other_features_are_refused_though_their_rows_are_as_long(
    tmp_path: Path, other: dict[str, Any], difference: str
) -> None:
    files = {"clean": features(tmp_path, "clean"), "blurred": features(tmp_path, "blurred", **other)}
    with pytest.raises(InputError, match=difference) as refused:
        FeatureFiles(files)
    assert all(name in str(refused.value) for name in ("clean.parquet", "blurred.parquet"))
    assert "\n" not in str(refused.value)
    both = pa.concat_tables([pq.read_table(path).append_column("kind", [[name] * 8]) for name, path in files.items()])
    pq.write_table(both, tmp_path / "all.parquet")
    # For a file that somebody put together there is no manifest.
    assert len(FeatureFiles({"all": tmp_path / "all.parquet"}, "kind")) == 16


def test_a_note_says_which_files_are_of_unknown_features(tmp_path: Path) -> None:
    files = {"clean": features(tmp_path, "clean"), "blurred": features(tmp_path, "blurred", degrade="blur:4")}
    assert FeatureFiles(files).notes == []
    # A renamed network is the same one.
    assert FeatureFiles(files | {"moved": features(tmp_path, "moved", network="moved")}).notes == []
    features(tmp_path, "other", layer="body.2")
    for remove in ("rewritten", "removed"):
        manifest = tmp_path / "blurred.parquet.manifest.json"
        shutil.copy(tmp_path / "other.parquet.manifest.json", manifest) if remove == "rewritten" else manifest.unlink()
        (note,) = FeatureFiles(files).notes
        assert "blurred.parquet" in note and "clean.parquet" not in note
    assert any("blurred.parquet" in note for note in map_features(files, sample=16).notes)


def test_copies_of_sampled_rows_are_placed_beside_their_originals(files: dict[str, Path]) -> None:
    """Two groups of the same rows: some rows are sampled in the first and placed in the second."""
    rows = map_features({"first": files["clean"], "second": files["clean"]}, sample=60).to_frame()
    first, second = (rows[rows["group"] == name].reset_index() for name in ("first", "second"))
    pairs = first["sampled"] & ~second["sampled"]
    assert pairs.sum() > 5
    offsets = first.loc[pairs, ["x", "y"]].to_numpy() - second.loc[pairs, ["x", "y"]].to_numpy()
    distances = np.linalg.norm(offsets, axis=1)
    size = np.ptp(rows[["x", "y"]].to_numpy(), axis=0).max()
    assert np.median(distances) < 0.02 * size and distances.max() < 0.25 * size


def test_positions_read_off_a_grid_are_those_of_the_exact_gradient(files: dict[str, Path]) -> None:
    features = next(FeatureFiles(files).rows(10_000)).features
    scores = pca_scores(gram_matrix(features, standardize=True), 20)
    tsne = TsneMap().fit(scores[:60])
    exact, grid = tsne.transform(scores[60:]), tsne.transform(scores[60:], on_grid=True)
    size = np.ptp(tsne.embedding_, axis=0).max()
    assert np.median(np.linalg.norm(exact - grid, axis=1)) < 0.005 * size
    np.testing.assert_allclose(tsne.transform(scores[60:]), exact, atol=1e-4 * size)


def test_a_column_of_labels_gives_the_groups_of_files(
    files: dict[str, Path], mapped: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    tables = {name: pq.read_table(path) for name, path in files.items()}
    one = pa.concat_tables([table.append_column("kind", [[name] * len(table)]) for name, table in tables.items()])
    order = np.random.default_rng(0).permutation(len(one))
    pq.write_table(one.take(order), tmp_path / "all.parquet", row_group_size=17)
    done = call_command(
        "map", tmp_path / "all.parquet", "--label", "kind", "--out", tmp_path / "out", "--sample", 60, "--json"
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert [group["name"] for group in summary["groups"]] == sorted(GROUPS) and not summary["balanced"]
    assert summary["measures"]["chi_pca"] == pytest.approx(mapped[1]["measures"]["chi_pca"], rel=1e-9)
    assert "degradation_share" not in summary["measures"] and any("ariance" in note for note in summary["notes"])
    rows = pd.read_parquet(tmp_path / "out" / "map.parquet")
    assert rows["group"].astype(str).tolist() == one["kind"].take(pa.array(order)).to_pylist()


def test_groups_of_unequal_sizes_have_the_index_of_the_points() -> None:
    random = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [5, 40, 13])
    points = random.normal(size=(58, 6)) + codes[:, None] * random.normal(size=6)
    sums = GroupSums(3, points[0]).add(points[:20], codes[:20]).add(points[20:], codes[20:])
    standardized = (points - points.mean(axis=0)) / points.std(axis=0)
    assert sums.measures().chi_pca == pytest.approx(calinski_harabasz(standardized, codes), rel=1e-9)


def test_neighbours_are_of_other_photographs() -> None:
    """The crops of a photograph lie together, and the photographs beside it are of the other group."""
    names = [f"p{number}__{crop}" for number in range(20) for crop in range(8)]
    x = np.repeat(np.arange(20.0), 8)
    plane, codes = np.stack([x, 0 * x], axis=1), np.repeat(np.arange(20) % 2, 8)
    counts = PlaneKnn(plane, codes, names).count(plane, codes, names)
    assert counts.total == 160 and counts.accuracy < 0.6
    single = ["p__1"] * 10
    assert np.isnan(PlaneKnn(plane[:10], codes[:10], single).count(plane[:10], codes[:10], single).accuracy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns("features"), "no column features"),
        (lambda table: table.slice(0, 0), "no rows"),
        (lambda table: table.set_column(1, "features", pa.array([1.0] * len(table))), "not lists"),
        (lambda table: table.set_column(1, "features", pa.array([[float("nan")] * 3] * len(table))), "NaN or infinite"),
        (
            lambda table: table.set_column(1, "features", pa.array([[1.0, 2.0]] * (len(table) - 1) + [[1.0]])),
            "without 2 features",
        ),
        (
            lambda table: table.set_column(1, "features", pa.array([[1.0, 2.0]] * (len(table) - 1) + [None])),
            "without 2 features",
        ),
        (
            lambda table: table.set_column(
                1, "features", pa.array([[1.0, 2.0]] * (len(table) - 2) + [[1.0], [1.0, 2.0, 3.0]])
            ),
            "without 2 features",
        ),
    ],
)
def test_files_of_another_form_are_refused(files: dict[str, Path], tmp_path: Path, change: Any, message: str) -> None:
    pq.write_table(change(pq.read_table(files["clean"])), tmp_path / "bad.parquet")
    with pytest.raises(InputError, match=message):
        for _ in FeatureFiles({"bad": tmp_path / "bad.parquet"}).rows(100):
            pass


def test_what_is_no_parquet_costs_one_line(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_text("hello")
    for path, words in (
        (tmp_path / "no.parquet", "cannot be read as Parquet"),
        (tmp_path / "none.parquet", "is not a file"),
    ):
        done = call_command("map", path, "--out", tmp_path / "out")
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    twice = call_command("map", files["clean"], files["clean"], "--out", tmp_path / "out")
    assert twice.returncode == 2 and "two files are called" in twice.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_real_browser(browser: Browser, mapped: tuple[Path, dict[str, Any]], width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    address = (mapped[0] / "map.html").resolve().as_uri()
    page.goto(address)
    total = f"{mapped[1]['points']:,} points in view"
    page.wait_for_function("text => document.getElementById('status').textContent === text", arg=total)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#plane").bounding_box()
    assert box
    page.locator("#legend input").first.uncheck()
    page.wait_for_function("text => document.getElementById('status').textContent !== text", arg=total)
    page.locator("#only").check()
    page.wait_for_function("() => document.getElementById('status').textContent === '80 points in view'")
    # Pointing at a dot shows its group and its name.
    dot = page.evaluate("""() => {
        const canvas = document.getElementById("plane"), ratio = canvas.width / canvas.clientWidth;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const first = pixels.findIndex((value, at) => at % 4 === 3 && value > 100) >> 2;
        return [(first % canvas.width) / ratio, Math.floor(first / canvas.width) / ratio]; }""")
    page.mouse.move(box["x"] + dot[0], box["y"] + dot[1])
    page.locator("#tip").wait_for(state="visible")
    group, name = page.locator("#tip").inner_text().split("\n")
    assert group in GROUPS and ".png" in name
    page.mouse.wheel(0, -800)
    page.wait_for_function("() => parseInt(document.getElementById('status').textContent) < 80")
    page.locator("#whole").click()
    page.wait_for_function("() => document.getElementById('status').textContent === '80 points in view'")
    assert messages == [] and requests == [address]
    page.close()


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
