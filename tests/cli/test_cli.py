"""The command line: what the main commands write, options, bad input, interruption."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from commands import PYTHON, Done, Run, Start, call_command
from ddrscope.cli.app import COMMANDS, load_command
from ddrscope.cli.messages import in_options, options_of
from ddrscope.cli.progress import progress
from ddrscope.extraction import run as feature_run
from ddrscope.features import precision
from ddrscope.features.precision import resolve_precision
from ddrscope.images import bundled_photos
from ddrscope.io.run_directory import RunDirectory
from ddrscope.results.analysis import EMBEDDING_COLUMNS

QUICK = ["--limit", "6", "--crop", "64", "--layers", "body.15", "--tsne-seeds", "1"]
# Two runs are only comparable in one precision; `auto` depends on the load of the machine.
FLOAT32 = ["--precision", "float32"]


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("analysis") / "out"
    degradations = [word for text in ("clean", "blur:2", "blur:4") for word in ("--degrade", text)]
    done = call_command("analyze", "srresnet-wogr", "srresnet-wgr", *degradations, *QUICK, "--json", "--out", out)
    return out, done


@pytest.mark.slow
def test_analyze_writes_what_the_contract_says(analysis: tuple[Path, Done]) -> None:
    out, done = analysis
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["groups"] == ["clean", "blur:2", "blur:4"] and Path(summary["report"]).is_file()
    data = json.loads((out / "analysis.json").read_text())
    assert [network["name"] for network in data["networks"]] == ["srresnet-wogr", "srresnet-wgr"]
    assert {control["kind"] for control in data["controls"]} == {"pixels", "random_weights", "shuffled_labels"}
    layers = [(row["layer"], row["view"]) for row in data["networks"][0]["layers"]]
    assert layers == [(layer, view) for layer in ("body.15", "conv_last:input") for view in ("flattened", "pooled")]
    row = data["networks"][0]["layers"][-1]
    for measure in (
        "chi_pca",
        "chi_tsne",
        "chi_content_pca",
        "degradation_share",
        "content_share",
        "interaction_share",
        "knn_accuracy",
    ):
        assert {measure, f"{measure}_low", f"{measure}_high"} <= row.keys()
    assert row["n"] == 18 and row["k"] == 3 and 0 < row["p_value"] <= 1
    assert row["degradation_share"] + row["content_share"] + row["interaction_share"] == pytest.approx(1)
    assert row["paths"][0]["levels"] == [0, 2, 4]
    embedding = pd.read_parquet(out / "embedding.parquet")
    assert tuple(embedding.columns) == EMBEDDING_COLUMNS
    assert len(embedding[embedding["control"] == ""]) == 18 * 2 * 2 * 2
    for name in ("grid-flattened", "grid-pooled", "depth", "path"):
        assert (out / "figures" / f"{name}.png").is_file() and (out / "figures" / f"{name}.pdf").is_file()


def test_a_finished_run_is_refused_resumed_and_another_runs_folder_told_apart(
    analysis: tuple[Path, Done],
) -> None:
    out, _ = analysis
    # Quoted, the same list of degradations.
    same = ["analyze", "srresnet-wogr", "srresnet-wgr", "--degrade", "clean blur:2  blur:4", *QUICK, "--out", out]
    assert call_command(*same).returncode == 2
    before = (out / "analysis.json").read_bytes()
    assert call_command(*same, "--resume").returncode == 0
    assert (out / "analysis.json").read_bytes() == before
    other = call_command("analyze", "srresnet-wgr", *QUICK, "--out", out, "--resume")
    assert other.returncode == 2 and "holds a run with" in other.stderr


@pytest.mark.slow
def test_generalize_writes_what_the_contract_says(tmp_path: Path, tiny_network_file: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.safetensors"
    shutil.copy(tiny_network_file, other)
    few = ["--patch", "64", "--patches", "40", "--components", "20"]
    words = ["generalize", tiny_network_file, other, "--degrade", "blur:2 blur:4", *few, "--json", "--out", out]
    done = call_command(*words)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert [row["set"] for row in summary["scores"]] == ["clean", "blur:2", "blur:4"] * 2
    wanted = "network set srga srga_low srga_high kl sigma shape patches layer scale floor".split()
    assert set(wanted) <= json.loads((out / "generalization.json").read_text())["scores"][0].keys()
    assert {row["network"] for row in summary["ranking"]} == {"tiny", "other"}
    assert Path(summary["report"]).is_file() and (out / "generalization.csv").is_file()
    assert call_command(*words).returncode == 2 and "nothing to do" in call_command(*words, "--resume").stderr


@pytest.mark.slow
def test_degrading_to_files_and_comparing_the_folders_gives_the_numbers_of_degrading_in_memory(
    tmp_path: Path, tiny_network_file: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(bundled_photos().glob("*__1.png"))[:5]:
        Image.open(path).save(photos / path.name)
    for name, text in (("a", "clean"), ("b", "noise:20")):
        done = call_command("degrade", photos, "--degrade", text, "--scale", 4, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    common = ["analyze", tiny_network_file, "--crop", 64, "--layers", "body.1", "--tsne-seeds", 1, *FLOAT32]
    common += ["--view", "flattened"]
    memory = call_command(*common, "--images", photos, "--degrade", "clean noise:20", "--out", tmp_path / "memory")
    sets = ["--set", f"a={tmp_path / 'a'}", "--set", f"b={tmp_path / 'b'}"]
    files = call_command(*common, *sets, "--out", tmp_path / "files")
    assert memory.returncode == files.returncode == 0, memory.stderr + files.stderr
    one, other = (
        json.loads((tmp_path / name / "analysis.json").read_text())["networks"][0]["layers"]
        for name in ("memory", "files")
    )
    for key in ("chi_pca", "degradation_share", "content_share"):
        assert [row[key] for row in one] == pytest.approx([row[key] for row in other], rel=1e-6)


@pytest.mark.slow
def test_sets_of_different_images_have_no_shares(tmp_path: Path, tiny_network_file: Path) -> None:
    for index, path in enumerate(sorted(bundled_photos().glob("*__1.png"))[:8]):
        folder = tmp_path / ("a" if index % 2 else "b")
        folder.mkdir(exist_ok=True)
        Image.open(path).resize((32, 32)).save(folder / path.name)
    sets = ["--set", f"a={tmp_path / 'a'}", "--set", f"b={tmp_path / 'b'}"]
    options = ["--crop", 64, "--layers", "body.1", "--tsne-seeds", 1, "--out", tmp_path / "out"]
    done = call_command("analyze", tiny_network_file, *sets, *options)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert not data["balanced"] and data["networks"][0]["layers"][-1]["degradation_share"] is None
    assert any("shares and p-values are left out" in note for note in data["notes"])


@pytest.mark.slow
def test_an_image_missing_from_one_set_is_left_out_of_all(tmp_path: Path, tiny_network_file: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for index, path in enumerate(sorted(bundled_photos().glob("*__1.png"))[:7]):
            if (name, index) != ("b", 2):
                Image.open(path).resize((32, 32)).rotate(90 * "abc".index(name)).save(tmp_path / name / path.name)
    lost = sorted((tmp_path / "a").iterdir())[2]
    sets = [word for name in ("a", "b", "c") for word in ("--set", f"{name}={tmp_path / name}")]
    words = ["analyze", tiny_network_file, *sets, "--crop", 64, "--layers", "body.1", "--tsne-seeds", 1, *FLOAT32]
    assert call_command(*words, "--out", tmp_path / "out").returncode == 0
    for name in ("a", "c"):
        (tmp_path / name / lost.name).unlink()
    assert call_command(*words, "--out", tmp_path / "expected").returncode == 0
    found, expected = (json.loads((tmp_path / name / "analysis.json").read_text()) for name in ("out", "expected"))
    assert found["balanced"] and found["images"] == 6 and any(lost.stem in note for note in found["notes"])
    one, other = (data["networks"][0]["layers"][0] for data in (found, expected))
    assert [one[key] for key in ("chi_pca", "degradation_share")] == pytest.approx(
        [other[key] for key in ("chi_pca", "degradation_share")]
    )


@pytest.mark.slow
def test_measures_over_checkpoints(tmp_path: Path) -> None:
    state = torch.load(_checkpoint(tmp_path / "step10.pth"), weights_only=True)
    torch.save({key: tensor * 1.01 for key, tensor in state.items()}, tmp_path / "step9.pth")
    checkpoints = ["--checkpoints", f"mine={tmp_path}/*.pth", "--global-residual"]
    done = call_command("analyze", *checkpoints, "--limit", 5, "--crop", 64, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert [checkpoint["label"] for checkpoint in data["series"][0]["checkpoints"]] == ["step9", "step10"]
    assert (tmp_path / "out" / "figures" / "series.png").is_file()


def _checkpoint(path: Path) -> Path:
    from ddrscope.networks import SRResNet

    torch.manual_seed(0)
    torch.save(SRResNet(channels=8, blocks=2).state_dict(), path)
    return path


@pytest.mark.slow
def test_features_for_other_tools(tmp_path: Path, tiny_network_file: Path) -> None:
    common = ["features", tiny_network_file, "--degrade", "blur:4", "--crop", 64, "--view", "pooled"]
    assert call_command(*common, "--out", tmp_path / "f.npy").returncode == 0
    rows = np.load(tmp_path / "f.npy")
    names = (tmp_path / "f.txt").read_text().splitlines()
    assert rows.dtype == np.float32 and rows.shape == (len(names), 16) and names == sorted(names)
    assert not (tmp_path / "f.npy.parts").exists()
    assert call_command(*common, "--out", tmp_path / "f.parquet").returncode == 0
    table = pd.read_parquet(tmp_path / "f.parquet")
    np.testing.assert_array_equal(np.stack(table["features"].to_list()), rows)
    assert call_command(*common, "--out", tmp_path / "f.npy").returncode == 2
    assert call_command(*common, "--out", tmp_path / "f.npy", "--resume").returncode == 0


def test_an_interrupted_run_is_resumed(tmp_path: Path, start_command: Start) -> None:
    out = tmp_path / "out"
    words = ["analyze", "srresnet-wgr", "srresnet-wogr", *QUICK, "--out", str(out)]
    process = start_command(*words)
    parts = out / "parts"
    deadline = time.monotonic() + 240
    while not (parts.is_dir() and list(parts.glob("network-0.*.json"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "--resume" in errors
    (kept,) = parts.glob("network-0.*.json")
    assert not (out / "analysis.json").exists()
    # Marked, to see whether it is used.
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps(content | {"notes": ["as it was kept"]}))
    done = call_command(*words, "--resume")
    assert done.returncode == 0, done.stderr
    data = json.loads((out / "analysis.json").read_text())
    assert data["networks"][1]["name"] == "srresnet-wogr" and "as it was kept" in data["notes"]
    assert not parts.exists()


def test_interrupted_where_nothing_is_resumed_it_says_what_does_work(tmp_path: Path, start_command: Start) -> None:
    out = tmp_path / "out"
    words = ["degrade", str(bundled_photos()), "--degrade", "lens_blur:50", "--out", str(out)]
    process = start_command(*words)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "--overwrite" in errors
    done = call_command(*words, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert len(list(out.glob("*.png"))) == 30


BAD = [
    (["generalize", "srresnet-wgr", "--out", "nothing"], "nothing to score"),
    (["generalize", "srresnet-wgr", "--degrade", "blur:2", "--out", "few"], "too few for 300 principal components"),
    (
        ["generalize", "srresnet-wgr", "--degrade", "blur:2", "--images", "broken", "--out", "broken-set"],
        "a.png: not a PNG",
    ),
    ("generalize nan.pth --degrade blur:2 --patch 64 --patches 40 --components 20 --out nan".split(), "not finite"),
    (["generalize", "srresnet-wgr", "--suite", "pie", "--out", "suite"], "pies"),
    (["analyze", "--images", "nowhere"], "no such file or folder: nowhere"),
    (["analyze", "--images", "empty"], "no images in empty"),
    (["analyze", "--images", "broken"], "no image can be read"),
    (["analyze", "--images", "small"], "smaller than --crop 128"),
    (["analyze", "--crop", "126"], "no multiple of the network's scale 4"),
    (["analyze", "--layers", "bodi.15"], "body.15"),
    (["analyze", "--degrade", "clean blurr:4"], "blur"),
    (["analyze", "--degrade", "clean blur:400"], "0 to 50"),
    (["analyze", "--degrade", "clean blur:x"], "not a number"),
    (["analyze", "--degrade", "clean noise:10+blur:2"], "blur:2+noise:10"),
    (["analyze", "--degrade", "clean"], "two or more"),
    (["analyze", "--limit", "1"], "--limit 1"),
    (["analyze", "srresnet-wgrr"], "srresnet-wgr"),
    (["analyze", "none.pth"], "no such file"),
    (["analyze", "text.pth"], "text.pth"),
    (["analyze", "numbers.pth"], "is not a network"),
    (["analyze", "other.pth"], "architecture"),
    (["analyze", "nan.pth", "--global-residual"], "NaN or infinite"),
    (["analyze", "nomodule:build"], "nomodule"),
    (["analyze", "--set", "a"], "NAME=VALUE"),
    (["analyze", "--view", "flat"], "flattened or pooled"),
    (["analyze", "--checkpoints", "a=none*.pth"], "no file matches"),
    (["analyze", "--device", "quantum"], "--device quantum"),
    (["analyze", "--sed", "1"], "No such option"),
    (["analyze", "--degrade", "--crop", "64"], "--degrade"),
    (["analyze", "--out", "o", "--layers"], "--layers"),
    (["analyze", "--degrade", "clean", "blur:4"], '--degrade "clean blur:4" or --degrade clean --degrade blur:4'),
    (["analyze", "--layers", "body.1", "body.2"], '--layers "body.1 body.2" or --layers body.1 --layers body.2'),
    (["analyze", "--set", "a=small", "b=small"], "--set a=small --set b=small"),
    (["generalize", "srresnet-wgr", "--degrade=blur:2", "noise:10", "--out", "o"], '--degrade "blur:2 noise:10"'),
    (["serve", "--results", "a", "b"], "--results a --results b"),
    (["train", "compact", "--images", "a", "b"], "--images a --images b"),
    (["analyze", "--seed", "x"], "--seed"),
    (["analyze", "--seed", "-1"], "--seed"),
    (["analyze", "--precision", "float16"], "choose auto, float32, bfloat16"),
    (["analyse"], "No such command"),
    (["features", "srresnet-wgr", "--out", "f.csv"], ".npy or .parquet"),
    (["features", "srresnet-wgr", "--out", "notes.npy"], "notes.txt, which exists already"),
    (["features", "srresnet-wgr", "--layer", "body.*", "--out", "f.npy"], "name one"),
    (["degrade", "small", "--degrade", "blur", "--out", "o"], "blur:LEVEL"),
    (["train", "compakt", "--images", "small", "--val", "small", "--out", "t"], "compact"),
    (["train", "compact", "--images", "small", "--val", "small", "--out", "t"], "smaller than the training patch"),
    (["train", "compact", "pixel.stpes=3"], "did you mean 'steps'"),
    (["train", "missing.toml"], "missing.toml cannot be read"),
    (["train", "compact", "--images", "small", "--val", "small"], "train needs --out"),
    (["train", "compact", "--images", "empty", "--val", "small", "--out", "t"], "no images in empty"),
    (["train", "compact", "--images", "nowhere", "--val", "small", "--out", "t"], "no such file or folder: nowhere"),
    (["train", "compact", "--images", "broken", "--val", "small", "--out", "t"], "a.png"),
    (["study", "--images", "small", "--val", "small", "--test", "small", "--out", "s"], "smaller than the crop of 128"),
    (
        ["study", "adversarial.steps=0", "--images", "a", "--val", "b", "--test", "c", "--out", "s2"],
        "no adversarial stage",
    ),
    (["models", "show", "nothing"], "is called 'nothing'"),
]


@pytest.fixture(scope="module")
def bad_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for name in ("empty", "broken", "small"):
        (folder / name).mkdir()
    (folder / "broken" / "a.png").write_bytes(b"no image")
    Image.new("RGB", (40, 40)).save(folder / "small" / "a.png")
    (folder / "notes.txt").write_text("mine")
    (folder / "text.pth").write_text("hello")
    torch.save({"epoch": 3}, folder / "numbers.pth")
    torch.save({"strange.weight": torch.zeros(3, 3)}, folder / "other.pth")
    state = torch.load(_checkpoint(folder / "nan.pth"), weights_only=True)
    state["conv_first.weight"][0] = float("nan")
    torch.save(state, folder / "nan.pth")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("words, hint", BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_gets_one_line_and_exit_2(
    words: list[str], hint: str, bad_inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bad_inputs)
    if words[0] == "analyze" and "--limit" not in words:
        words = ["analyze", "--out", "out", "--overwrite", "--limit", "5", *words[1:]]
    done = call_command(*words)
    assert done.returncode == 2 and hint in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["analyze", "generalize"])
@pytest.mark.parametrize(
    "words, expected",
    [
        (["--degrade", "clean", "--degrade", "blur:4"], ["clean", "blur:4"]),
        (["--degrade", "clean  blur:4"], ["clean", "blur:4"]),
        (["--degrade=clean blur:4", "--degrade", "noise:20"], ["clean", "blur:4", "noise:20"]),
        (["--degrade", "blur:2 + noise:10 clean"], ["blur:2 + noise:10", "clean"]),
    ],
)
def test_a_list_option_is_repeated_or_quoted(command: str, words: list[str], expected: list[str]) -> None:
    assert parsed(command, "srresnet-wgr", *words)["degradations"] == expected


def test_an_option_for_paths_keeps_their_spaces() -> None:
    values = parsed("analyze", "--images", "my photos", "--images", "more", "--set", "a=my scans")
    assert values["images"] == ["my photos", "more"] and values["sets"] == ["a=my scans"]


def parsed(name: str, *words: str) -> dict[str, Any]:
    """The values of a command's parameters, by name; nothing is run."""
    command: Any = load_command(name)
    return command.make_context(name, list(words)).params


@pytest.mark.parametrize(
    "message, expected",
    [
        ("`crop`=4 is too small", "--crop 4 is too small"),
        ("give `resume`=True or another `out`", "give --resume or another --out"),
        ("`networks` is empty", "[NETWORK]... is empty"),
        ("`batch`=3 is unknown", "batch=3 is unknown"),
    ],
)
def test_parameters_in_messages_become_options(message: str, expected: str) -> None:
    assert in_options(message, options_of(load_command("analyze"))) == expected


def test_help_lists_every_command_without_importing_pytorch(run_command: Run) -> None:
    code = (
        "import sys\nfrom ddrscope.cli import main\ntry: main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    )
    done = run_command("-c", code, program=[PYTHON])
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*[.?]$", done.stdout, re.MULTILINE), name
        shown = call_command(name, "--help")
        assert shown.returncode == 0 and "Usage:" in shown.stdout


def test_a_group_without_a_command_prints_its_help() -> None:
    done = call_command("models")
    assert done.returncode == 2 and "  layers " in done.stderr


def test_an_interruption_that_compiled_code_swallows_stops_the_work() -> None:
    def swallow() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), progress() as bars:
        bars.start("work", 2)
        swallow()
        bars.advance()
        pytest.fail("the work went on")
    with pytest.raises(KeyboardInterrupt), progress():
        swallow()
    assert signal.getsignal(signal.SIGINT) is before


def test_one_image_is_identified_without_waiting_for_pandas_and_scikit_learn(run_command: Run) -> None:
    code = "import sys, ddrscope.cli.identify; print({'pandas', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    assert run_command("-c", code, program=[PYTHON]).stdout == "set()\n"


@pytest.mark.parametrize("begun, other", [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_a_run_goes_on_in_the_precision_it_was_begun_in(
    begun: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "is_bfloat16_faster", lambda device: other == "bfloat16")
    with RunDirectory(tmp_path / "run", {"precision": begun}, []):
        pass
    cpu = torch.device("cpu")
    assert resolve_precision("auto", cpu, tmp_path / "run") == begun
    assert resolve_precision("auto", cpu, tmp_path / "none") == resolve_precision("auto", cpu) == other
    # An explicit precision is kept: the run directory refuses it.
    assert resolve_precision(other, cpu, tmp_path / "run") == other


@pytest.mark.parametrize("begun", ["float32", "bfloat16"])
def test_features_go_on_in_the_precision_they_were_begun_in(
    begun: str, tmp_path: Path, tiny_network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "features.parquet"
    images = ["--images", bundled_photos() / "c*.png", "--crop", 64]
    words = ["features", tiny_network_file, *images, "--layer", "body.0", "--view", "pooled", "--out", out]
    with monkeypatch.context() as patch:
        patch.setattr(feature_run, "process_shards", interrupt)
        assert call_command(*words, "--precision", begun).returncode == 130
    # One of the two is not what auto is here.
    done = call_command(*words, "--precision", "auto", "--resume")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "features.parquet.manifest.json").read_text())["settings"]["precision"] == begun


def test_help_gives_units_and_examples() -> None:
    done = call_command("analyze", "--help")
    assert done.returncode == 0
    for text in ("Examples:", "HR pixels", "sigma of 255", "ddrscope analyze mynet.pth"):
        assert text in done.stdout
