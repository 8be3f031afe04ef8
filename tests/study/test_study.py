from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from commands import call_command
from ddrscope.errors import InputError
from ddrscope.results.study import Case, Evidence
from ddrscope.study import judge_claims
from ddrscope.study.claims import DOES_NOT_HOLD, HOLDS, NOT_DECIDED, verdict
from ddrscope.study.crops import write_crops
from ddrscope.study.settings import LEVELS, StudySettings, make_jobs
from ddrscope.study.trainings import keep_matched

VIEW = "flattened"


def measures(degradation: float, content: float = 0.3, photo: float = 0.2, reach: float = 0.02) -> dict[str, float]:
    """A row of measures whose intervals reach ``reach`` to both sides."""
    row = {}
    for name, value in {"degradation_share": degradation, "content_share": content, "photo_share": photo}.items():
        row |= {name: value, f"{name}_low": value - reach, f"{name}_high": value + reach}
    return row


def layer(
    network: str, control: str = "", seed: str = "bundled", depth: float = 1, **numbers: float
) -> dict[str, object]:
    head = {
        "network": network,
        "control": control,
        "seed": seed,
        "view": VIEW,
        "layer": f"l{depth}",
        "depth": depth,
        "last": depth == 1,
    }
    return head | measures(**numbers)


def evidence(**changes: float) -> Evidence:
    """Evidence in which every claim holds, but for ``changes``: the degradation shares of last layers, by network."""
    shares = {"srresnet_wgr": 0.5, "srresnet_wogr": 0.01, "srgan_wgr": 0.6, "srgan_wogr": 0.4} | changes
    rows = []
    for seed in ("bundled", "0", "1"):
        ending = "" if seed == "bundled" else f" seed {seed}"
        for name, share in shares.items():
            network = name.replace("_", "-") + ending
            content = 0.1 if name.startswith("srgan") else 0.4
            for depth in (0.25, 0.5, 0.75, 1.0):
                rows.append(layer(network, "", seed, depth, degradation=share * depth, content=content, photo=0.1))
            rows.append(layer(network, "random_weights", seed, 1, degradation=0.0))
    rows.append(layer("efficientnet-lite0", "", photo=0.4, degradation=0.1))
    rows.append(layer("efficientnet-lite0", "random_weights", photo=0.2, degradation=0.1))
    rows.append(layer("efficientnet-lite0", "pixels", photo=0.05, degradation=0.1))
    kept = [
        {"network": f"srresnet-wgr seed {seed}", "seed": seed, "view": VIEW, "step": step, "psnr": 25 + step / 100}
        | measures(shares["srresnet_wgr"] * step / 400)
        for seed in ("0", "1")
        for step in (0, 100, 200, 300, 400)
    ]
    paths = [
        {"network": network, "control": "", "view": VIEW, "family": family, "levels": [1, 2, 3], "n": 30, "spearman": 0.9,
         "spearman_low": 0.8, "spearman_high": 1.0}
        for network in ("srresnet-wgr", "srgan-wgr")
        for family in LEVELS
    ]  # fmt: skip
    paths += [path | {"control": "pixels"} for path in paths]
    psnr = {f"srresnet-wogr seed {seed}": 27.05 for seed in (0, 1)}
    return Evidence(pd.DataFrame(rows), pd.DataFrame(kept), pd.DataFrame(paths), psnr)


def verdicts(tables: Evidence) -> dict[str, str]:
    return {result.claim: result.verdict for result in judge_claims(tables, [VIEW])}


def test_every_claim_can_hold() -> None:
    assert verdicts(evidence()) == dict.fromkeys(("C1", "C2", "C3", "C4", "C5", "C6"), HOLDS)


def test_c1_fails_where_photographs_gather() -> None:
    tables = evidence()
    rows = tables.layers
    rows.loc[rows.network.isin(["srresnet-wgr", "srgan-wgr"]), ["photo_share_high"]] = 0.9
    assert verdicts(tables)["C1"] == NOT_DECIDED
    rows.loc[(rows.network == "efficientnet-lite0") & (rows.control == "pixels"), "photo_share_high"] = 0.9
    assert verdicts(tables)["C1"] == DOES_NOT_HOLD


def test_c2_needs_a_match_in_quality() -> None:
    assert verdicts(evidence(srresnet_wogr=0.8))["C2"] == DOES_NOT_HOLD
    unmatched = evidence()
    assert verdicts(replace(unmatched, psnr=dict.fromkeys(unmatched.psnr, 27.5)))["C2"] == NOT_DECIDED
    # At the matched checkpoint (step 200: half the final share) the network without is no worse.
    assert verdicts(evidence(srresnet_wogr=0.24))["C2"] == NOT_DECIDED


@pytest.mark.parametrize("changes", [{"srgan_wogr": 0.03}, {"srgan_wogr": 0.01}, {"srresnet_wogr": 0.45}])
def test_c3_needs_the_adversarial_network_clearly_above(changes: dict[str, float]) -> None:
    assert verdicts(evidence(**changes))["C3"] == NOT_DECIDED
    assert verdicts(evidence(**changes, srgan_wgr=0.0))["C3"] == DOES_NOT_HOLD


def test_c3_needs_content_to_fall() -> None:
    tables = evidence(srgan_wgr=0.0)
    tables.layers.loc[tables.layers.network.str.startswith("srgan-wogr"), "content_share_high"] = 0.4
    assert verdicts(tables)["C3"] == DOES_NOT_HOLD


def test_c4_c5_c6_can_fail() -> None:
    tables = evidence()
    tables.paths["spearman_low"] = 0.5
    tables.layers["depth"] = -tables.layers["depth"]
    tables.checkpoints["degradation_share"] = -tables.checkpoints["degradation_share"]
    assert [verdicts(tables)[key] for key in ("C4", "C5", "C6")] == [DOES_NOT_HOLD] * 3
    tables = evidence()
    tables.paths.loc[0, "spearman_low"] = float("nan")
    assert verdicts(tables)["C4"] == NOT_DECIDED


def test_verdicts_never_round_up() -> None:
    yes, no, open_ = (Case("", answer, "") for answer in (True, False, None))
    assert verdict([yes, yes]) == HOLDS and verdict([no, no]) == DOES_NOT_HOLD
    assert [verdict(cases) for cases in ([yes, no], [yes, open_], [no, open_], [])] == [NOT_DECIDED] * 4


def test_a_share_is_above_only_where_intervals_are_apart() -> None:
    # Intervals reach 0.02 to both sides of 0.6 and of the share with random weights.
    for random, expected in ((0.57, NOT_DECIDED), (0.55, HOLDS)):
        tables = evidence(srgan_wgr=0.6)
        rows = (tables.layers.network == "srgan-wgr") & (tables.layers.control == "random_weights")
        for end, offset in (("", 0.0), ("_low", -0.02), ("_high", 0.02)):
            tables.layers.loc[rows, f"degradation_share{end}"] = random + offset
        assert verdicts(tables)["C3"] == expected


def test_crops_do_not_overlap(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "test").mkdir()
    Image.linear_gradient("L").resize((300, 200)).convert("RGB").save(tmp_path / "test" / "gradient.png")
    photos = write_crops(str(tmp_path / "test"), tmp_path / "out", 2, 64)
    crops = sorted((tmp_path / "out").glob("*.png"))
    assert len(crops) == 2 * photos
    assert {path.name for path in crops} >= {"gradient__1.png", "gradient__2.png", "astronaut__1.png"}
    with pytest.raises(InputError, match="gradient has 2 crops of 128 pixels"):
        write_crops(str(tmp_path / "test"), tmp_path / "out", 3, 128)


def test_what_a_study_cannot_do_is_said_before_it_trains(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no adversarial stage"):
        make_jobs(StudySettings("a", "b", "c", changes={"adversarial.steps": 0}), tmp_path)
    with pytest.raises(InputError, match="`crop`=130 .*: give 128"):
        make_jobs(StudySettings("a", "b", "c", crop=130), tmp_path)
    jobs = make_jobs(StudySettings("a", "b", "c"), tmp_path)
    assert [job.name for job in jobs][:3] == ["wgr-seed0", "wogr-seed0", "wgr-seed1"]


@pytest.mark.slow
def test_the_whole_study_runs_and_goes_on(tmp_path: Path) -> None:
    """The real command at a tiny size: what it trains knows nothing, so no claim about the seeds may come out as held."""
    from PIL import Image

    from ddrscope.images import bundled_photos

    # Brackets are no pattern in the name of a folder.
    out = tmp_path / "out [1]"
    for folder, names in {"train": ["astronaut__1", "wine__1"], "val": ["fig__1"], "test": ["stream__1"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            Image.open(bundled_photos() / f"{name}.png").save(tmp_path / folder / f"mine-{name.replace('__', '-')}.png")
    words = [
        "study", "channels=4", "blocks=1", "batch=2", "patch=8", "precision=float32", "pixel.steps=8", "adversarial.steps=4",
        "adversarial.perceptual=none", "--seeds", "1", "--crops", "2", "--crop", "32", "--photos", "4",
        "--tsne-seeds", "1", "--threads", "2",
        "--images", str(tmp_path / "train"), "--val", str(tmp_path / "val"), "--test", str(tmp_path / "test"),
        "--out", str(out), "--json",
    ]  # fmt: skip
    done = call_command(*words)
    assert done.returncode == 0, done.stderr
    data = json.loads((out / "study.json").read_text())
    assert json.loads(done.stdout)["claims"] == data["claims"]
    assert [claim["claim"] for claim in data["claims"]] == [
        key for key in ("C1", "C2", "C3", "C4", "C5", "C6") for _ in range(2)
    ]
    c2 = data["claims"][2]
    assert c2["verdict"] != HOLDS and {case["holds"] for case in c2["cases"] if "seed" in case["case"]} <= {False, None}
    for name in (
        "claims.csv",
        "layers.csv",
        "checkpoints.csv",
        "paths.csv",
        "report.html",
        "figures/C1.png",
        "figures/C6.pdf",
    ):
        assert (out / name).stat().st_size > 500, name
    layers = pd.read_csv(out / "layers.csv")
    assert set(layers.control.fillna("")) == {"", "random_weights", "shuffled_labels", "pixels"}
    refused = call_command(*words)
    assert refused.returncode == 2 and "--resume" in refused.stderr
    before = {path: path.stat().st_mtime_ns for path in (out / "trainings").rglob("*.*")}
    again = call_command(*words, "--resume")
    assert again.returncode == 0, again.stderr
    assert json.loads((out / "study.json").read_text())["claims"] == data["claims"]
    assert before == {path: path.stat().st_mtime_ns for path in (out / "trainings").rglob("*.*")}


def test_of_the_tried_steps_the_nearest_in_quality_stays(tmp_path: Path) -> None:
    pair = make_jobs(StudySettings("a", "b", "c", seeds=1), tmp_path)
    quality = {"wgr": lambda step: 30 + step / 1000, "wogr": lambda step: 30.42}
    for job in pair:
        steps = [*job.kept_steps("pixel"), *job.tried_steps("pixel"), None]
        rows = [
            {
                "stage": "pixel",
                "step": step,
                "path": f"{step}.safetensors",
                "psnr": quality[job.kind](step or 9000),
                "psnr_bicubic": 28.0,
            }
            for step in steps
        ]
        job.folder.mkdir()
        for row in rows:
            (job.folder / row["path"]).touch()
        (job.folder / "snapshots.json").write_text(json.dumps({"snapshots": rows}))
    for _ in range(2):
        keep_matched(pair)
        left = {path.stem for path in (tmp_path / "wgr-seed0").glob("*.safetensors")}
        assert left == {"None", "425", *(str(step) for step in pair[0].kept_steps("pixel"))}
    assert not pair[1].tried_steps("pixel")
