"""Tables of identified images: the same rows in memory and in each kind of file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ddrscope.errors import InputError
from ddrscope.identification import IdentificationResult
from ddrscope.images.file_facts import FileFacts
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.identification import Identification, IdentifiedImage
from ddrscope.results.identification_files import BATCH_ROWS, to_table, write_tables
from ddrscope.results.vocabulary import ESTIMATES, QUESTIONS

NAMES = ("clean", "blur", "noise")
COLUMNS = [
    *"path type group probability level level_low level_high novelty unseen error".split(),
    *(f"p_{name}" for name in NAMES),
    "group_probability",
    *(f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high")),
    *"recompressed chroma_subsampled motion_angle interpolation".split(),
    *"file_format file_jpeg_quality file_chroma_subsampling".split(),
]
SUFFIXES = [".parquet", ".csv", ".jsonl"]


def image(number: int) -> IdentifiedImage:
    """The fourth image has an error; path and error hold what CSV and JSON have to quote."""
    path = f'/photos/{number:05d} "a", b\\c.png'
    if number % 10 == 3:
        return IdentifiedImage(path, error='not a PNG, or "corrupt"')
    share = 1 / (number + 3)
    probabilities = {"clean": share, "blur": 1 - share, "noise": share / 7}
    level = Estimate(2 + share, 1 + share, 3 + share)
    found = Identification("blur", "blur", 1 - share, 1 - share / 2, level, share, number % 10 == 5, probabilities)
    if number % 2:
        # As of an identifier that estimates, and of a file that says how it was compressed.
        estimates = {name: Estimate(share, 0.0, 2 * share) for name in ESTIMATES}
        found = replace(
            found, estimates=estimates, motion_angle=30.0, answers=dict.fromkeys(QUESTIONS, share), interpolation="box"
        )
        return IdentifiedImage(path, found, file=FileFacts("jpeg", 80, "4:2:0"))
    return IdentifiedImage(path, found)


ROWS = tuple(map(image, range(20)))


@pytest.fixture(params=SUFFIXES)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return IdentificationResult(NAMES, ROWS).save(tmp_path / f"table{request.param}")


def test_rows_are_read_back(saved: Path) -> None:
    result = IdentificationResult.load(saved)
    assert result.names == NAMES and len(result) == len(ROWS)
    for row, expected in zip(result, ROWS, strict=True):
        assert (row.path, row.error) == (expected.path, expected.error)
        found, known = row.identification, expected.identification
        if found is None or known is None:
            assert found is known
            continue
        assert (found.type, found.group, found.unseen) == (known.type, known.group, known.unseen)
        numbers = [found.probability, found.novelty, *vars(found.level).values(), *found.probabilities.values()]
        wanted = [known.probability, known.novelty, *vars(known.level).values(), *known.probabilities.values()]
        assert numbers == pytest.approx(wanted, abs=1e-6)
        assert list(found.probabilities) == list(NAMES)
        assert (found.motion_angle, found.interpolation) == (known.motion_angle, known.interpolation)
        assert row.file == expected.file and found.estimates.keys() == known.estimates.keys()
        for name in found.estimates:
            wanted_ends = pytest.approx(list(vars(known.estimates[name]).values()), abs=1e-6)
            assert list(vars(found.estimates[name]).values()) == wanted_ends
        assert found.answers == pytest.approx(dict(known.answers), abs=1e-6)


def test_pandas_reads_the_same_columns_and_types(saved: Path) -> None:
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    frame = read[saved.suffix](saved)
    assert list(frame.columns) == COLUMNS and frame["path"].tolist() == [row.path for row in ROWS]
    assert frame["error"].notna().tolist() == [row.error is not None for row in ROWS]
    assert frame["unseen"].sum() == 2 and frame["level"].isna().sum() == 2
    for own in (IdentificationResult.load(saved).to_frame(), IdentificationResult(NAMES, ROWS).to_frame()):
        assert own.dtypes.astype(str).tolist() == ["string"] * 3 + ["Float64"] * 5 + ["boolean", "string"] + [
            "Float64"
        ] * (3 + 1 + 3 * len(ESTIMATES) + len(QUESTIONS) + 1) + ["string", "string", "Float64", "string"]
        assert own["probability"].astype(float).tolist() == pytest.approx(
            frame["probability"].astype(float).tolist(), abs=1e-6, nan_ok=True
        )
    if saved.suffix == ".parquet":
        # Missing values stay missing values, and do not turn into floats and objects.
        assert frame.dtypes.tolist() == own.dtypes.tolist()


def test_a_summary_counts_rows(saved: Path) -> None:
    for summary in (IdentificationResult.load(saved).summary, IdentificationResult(NAMES, ROWS).summary):
        assert (summary.images, summary.unseen) == (20, 2)
        assert summary.types == {"blur": 18} == summary.groups
        assert summary.errors == {row.path: row.error for row in ROWS if row.error}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_small_tables_become_one_file(tmp_path: Path, suffix: str) -> None:
    count, size = BATCH_ROWS + 3000, 250
    path = tmp_path / f"many{suffix}"
    write_tables(
        (to_table(map(image, range(start, start + size)), NAMES) for start in range(0, count - size + 1, size)), path
    )
    result = IdentificationResult.load(path)
    assert len(result) == count // size * size
    assert [row.path for row in result] == [image(number).path for number in range(len(result))]
    if suffix == ".parquet":
        assert pq.ParquetFile(path).num_row_groups == 2


def test_a_number_that_is_not_finite_is_missing() -> None:
    level = Estimate(0.0, math.nan, math.nan)
    row = IdentifiedImage("a.png", Identification("clean", "clean", 1.0, 1.0, level, math.nan, False, {"clean": 1.0}))
    frame = IdentificationResult(("clean",), (row,)).to_frame()
    assert frame[["novelty", "level_low"]].isna().all(axis=None) and frame["level"].tolist() == [0.0]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", b"path,mean\n1,2\n"), ("a.csv", b""), ("a.csv", b"\xff\xfe"), ("a.jsonl", b""), ("a.jsonl", b"[1]\n"),
        ("a.jsonl", b"[" * 100_000), ("a.parquet", b"PAR1"), ("a.xlsx", b""), ("none.csv", None),
    ],
)  # fmt: skip
def test_files_that_are_no_such_table_are_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        IdentificationResult.load(tmp_path / name)


@pytest.mark.parametrize("line", [b"not json\n", b'{"path": 3}\n', b"[1]\n"])
def test_a_broken_row_is_refused(tmp_path: Path, line: bytes) -> None:
    path = IdentificationResult(NAMES, ROWS).save(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(InputError, match="a.jsonl"):
        list(IdentificationResult.load(path))


def test_a_notebook_shows_names_as_text() -> None:
    row = IdentifiedImage("<script>alert(1)</script>.png", error="no such file")
    page = IdentificationResult(NAMES, (row,))._repr_html_()
    assert "<script>" not in page and "no such file" in page


def test_types_are_drawn() -> None:
    (panel,) = IdentificationResult(NAMES, ROWS).plot().axes
    assert [bar.get_width() for bar in panel.patches] == [18]
