"""`ddrscope map`: the real command on real features, its numbers against those of an analysis, its page in a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.sync_api import Browser

from ddrscope.embedding.gram import gram_matrix
from ddrscope.embedding.pca import GramPCA
from ddrscope.embedding.tsne import TsneMap
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import sha256, write_json
from ddrscope.maps import FeatureFiles, MapSettings, PointMap
from ddrscope.maps.plane_accuracy import PlaneAccuracy
from ddrscope.metrics.chi import calinski_harabasz
from ddrscope.metrics.design import Design
from ddrscope.metrics.group_sums import GroupSums
from ddrscope.metrics.layer_measures import measure

COMMAND = [sys.executable, "-m", "ddrscope"]
GROUPS = {"clean": "clean", "blurred": "blur:4", "noisy": "noise:20"}


def run(*words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, timeout=300)


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
        done = run("features", "srgan-wgr", "--images", folder / "crops", "--degrade", degradation, "--crop", 64, "--view", "pooled",
                   "--layer", "body.15", "--out", found[name])  # fmt: skip
        assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def mapped(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("map") / "out"
    done = run("map", *(f"{name}={path}" for name, path in files.items()), "--out", out, "--sample", 120, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_the_command_writes_what_the_documents_say(files: dict[str, Path], mapped: tuple[Path, dict[str, Any]]) -> None:
    out, said = mapped
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
    assert data["points"] == said["points"] == len(rows) and [group["name"] for group in data["groups"]] == list(GROUPS)
    assert data["balanced"] and data["settings"]["sample"] == 120 and data["manifest"]["versions"]["openTSNE"]
    for name in ("map", "groups"):
        assert min(Image.open(out / "figures" / f"{name}.png").size) > 300
        assert (out / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    names = [f"{name}={path}" for name, path in files.items()]
    assert run("map", *names, "--out", out, "--sample", 120).returncode == 2
    again = run("map", *names, "--out", out, "--sample", 120, "--resume", "--json")
    assert json.loads(again.stdout) == said and "nothing to do" in again.stderr


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
    wanted = measure(GramPCA(50).fit_gram(gram).scores_, gram, Design(images, images, groups), permutations=1)
    for key in ("chi_pca", "degradation_share", "content_share", "interaction_share"):
        assert mapped[1]["measures"][key] == pytest.approx(wanted[key], rel=1e-9), key


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
    ("other", "said"),
    [
        ({"network": "two", "weights": "2" * 64}, "network = one .*, not two"),
        ({"layer": "body.2"}, "layer = body.1, not body.2"),
        ({"view": "flattened"}, "view = pooled, not flattened"),
        ({"crop": 32}, "crop = 64, not 32"),
        ({"precision": "bfloat16"}, "precision = float32, not bfloat16"),
    ],
)
def test_files_of_other_features_are_refused_though_their_rows_are_as_long(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    files = {"clean": features(tmp_path, "clean"), "blurred": features(tmp_path, "blurred", **other)}
    with pytest.raises(InputError, match=said) as refused:
        FeatureFiles(files)
    assert (
        "clean.parquet" in str(refused.value)
        and "blurred.parquet" in str(refused.value)
        and "\n" not in str(refused.value)
    )
    both = pa.concat_tables([pq.read_table(path).append_column("kind", [[name] * 8]) for name, path in files.items()])
    pq.write_table(both, tmp_path / "all.parquet")
    # Nobody knows of rows that somebody put together.
    assert len(FeatureFiles({"all": tmp_path / "all.parquet"}, "kind")) == 16


def test_it_is_noted_where_nothing_says_what_files_are_features_of(tmp_path: Path) -> None:
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
    found = PointMap(MapSettings({name: str(path) for name, path in files.items()}, sample=16)).run(tmp_path / "out")
    assert any("blurred.parquet" in note for note in found.data["notes"])


def test_copies_of_sampled_rows_are_placed_beside_their_originals(files: dict[str, Path], tmp_path: Path) -> None:
    """A second file with the rows of the first: what is sampled in one is placed in the other."""
    copy = {"one": files["clean"], "other": files["clean"]}
    PointMap(MapSettings({name: str(path) for name, path in copy.items()}, sample=60)).run(tmp_path)
    rows = pd.read_parquet(tmp_path / "map.parquet")
    one, other = (rows[rows["group"] == name].reset_index() for name in copy)
    pairs = one["sampled"] & ~other["sampled"]
    assert pairs.sum() > 5
    apart = np.linalg.norm(one.loc[pairs, ["x", "y"]].to_numpy() - other.loc[pairs, ["x", "y"]].to_numpy(), axis=1)
    size = np.ptp(rows[["x", "y"]].to_numpy(), axis=0).max()
    assert np.median(apart) < 0.02 * size and apart.max() < 0.25 * size


def test_places_read_off_a_grid_are_those_of_the_tree(files: dict[str, Path]) -> None:
    features = next(FeatureFiles(files).rows(10_000)).features
    scores = GramPCA(20, standardize=True).fit(features).scores_
    tsne = TsneMap().fit(scores[:60])
    exact, grid = tsne.transform(scores[60:]), tsne.transform(scores[60:], many=True)
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
    done = run("map", tmp_path / "all.parquet", "--label", "kind", "--out", tmp_path / "out", "--sample", 60, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [group["name"] for group in said["groups"]] == sorted(GROUPS) and not said["balanced"]
    assert said["measures"]["chi_pca"] == pytest.approx(mapped[1]["measures"]["chi_pca"], rel=1e-9)
    assert "degradation_share" not in said["measures"] and "variance shares" in done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "map.parquet")
    assert rows["group"].astype(str).tolist() == one["kind"].take(pa.array(order)).to_pylist()


def test_groups_of_unequal_sizes_have_the_index_of_the_points() -> None:
    random = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [5, 40, 13])
    points = random.normal(size=(58, 6)) + codes[:, None] * random.normal(size=6)
    sums = (
        GroupSums(3, points[0]).add(points[:20], codes[:20]).merge(GroupSums(3, points[0]).add(points[20:], codes[20:]))
    )
    standardized = (points - points.mean(axis=0)) / points.std(axis=0)
    assert sums.measures()["chi_pca"] == pytest.approx(calinski_harabasz(standardized, codes), rel=1e-9)


def test_neighbours_are_of_other_photographs() -> None:
    """Images that lie only beside crops of their own photograph, of their own group, are told by others: wrongly here."""
    names = [f"p{number}__{crop}" for number in range(20) for crop in range(8)]
    place = np.repeat(np.arange(20.0), 8)
    codes = np.repeat(np.arange(20) % 2, 8)
    known = PlaneAccuracy(np.stack([place, 0 * place], axis=1), codes, names)
    known.ask(np.stack([place, 0 * place], axis=1), codes, names)
    assert known.take() < 0.6 and np.isnan(known.take())


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
        (tmp_path / "none.parquet", "is no file"),
    ):
        done = run("map", path, "--out", tmp_path / "out")
        assert (
            done.returncode == 2
            and words in done.stderr
            and "--out FILE.parquet" in done.stderr
            and "Traceback" not in done.stderr
        )
    twice = run("map", files["clean"], files["clean"], "--out", tmp_path / "out")
    assert twice.returncode == 2 and "two files are called" in twice.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_real_browser(browser: Browser, mapped: tuple[Path, dict[str, Any]], width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
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
    # Zoom onto a dot and point at it: its name is shown.
    at = page.evaluate("""() => { const per = scale(), ratio = canvas.width / canvas.clientWidth, at = seen[0];
        return [((xs[at] - centre[0]) * per + canvas.width / 2) / ratio, ((ys[at] - centre[1]) * per + canvas.height / 2) / ratio]; }""")
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    page.locator("#tip").wait_for(state="visible")
    assert "seen by t-SNE" in page.locator("#tip").inner_text()
    page.mouse.wheel(0, -800)
    page.wait_for_function("() => parseInt(document.getElementById('status').textContent) < 80")
    page.locator("#whole").click()
    page.wait_for_function("() => document.getElementById('status').textContent === '80 points in view'")
    assert said == [] and asked == [address]
    page.close()


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
