"""Judge C1, C4, C5 and the interventions by `later_rules` and `without_residual`, from the measurements.

    python -m experiments.published_networks.judge_later DOZEN RESULTS

DOZEN is the folder of `experiments.published_networks.depth_and_paths`, `classes`, `silenced`, `same_noise` and `without_residual`.
RESULTS receives its tables as CSV and ``later_verdicts.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pandas as pd

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.study import Case
from ddrscope.study.rules import depth_case, path_case
from experiments.published_networks.later_rules import (
    ADVERSARIAL,
    CLASSIFIERS,
    DOZEN,
    SUPER_RESOLUTION,
    WITH_RESIDUAL,
    ClassShares,
    classes_or_degradations,
    image_hides_degradation,
    most_show_it,
    noise_hides_degradation,
)
from experiments.published_networks.shares import read_rows
from experiments.published_networks.without_residual import STEPS, share_falls

TABLES = ("depth", "paths", "classes", "silenced", "same_noise", "without_residual")
VIEWS = ("flattened", "pooled")
JUDGED = (*WITH_RESIDUAL, *ADVERSARIAL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dozen", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    tables = {name: read_rows(arguments.dozen / f"{name}.jsonl") for name in TABLES}
    for name, table in tables.items():
        table.drop(columns="centroids", errors="ignore").to_csv(
            arguments.results / f"{name}.csv", index=False, float_format="%.4g"
        )
    verdicts = judge(tables)
    (arguments.results / "later_verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n")
    print(json.dumps(verdicts, indent=1))


def judge(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The verdicts in both views, as JSON values."""
    verdicts: dict[str, Any] = {}
    for view in VIEWS:
        verdicts[f"C1 {view}"] = _all_of(class_cases(tables["classes"], view))
        for claim, cases in (
            ("C4", path_cases(tables["paths"], view)),
            ("C5", depth_cases(tables["depth"], view)),
        ):
            shown = {name: all(case.holds for case in own) for name, own in cases.items()}
            judged = [name for name in JUDGED if name in shown]
            verdicts[f"{claim} {view}"] = {
                "verdict": most_show_it(shown[name] for name in judged),
                "shown by": [name for name in judged if shown[name]],
                "of": len(judged),
                "beside them": {name: shown[name] for name in shown if name not in judged},
                "cases": [case.to_json() for own in cases.values() for case in own],
            }
    verdicts["the image hides the degradation"] = _all_of(
        image_hides_degradation(_pairs(tables["silenced"], "silenced"))
    )
    verdicts["the noise hides the degradation"] = _all_of(
        noise_hides_degradation(_pairs(tables["same_noise"], "one_pattern"))
    )
    for view in VIEWS:
        verdicts[f"the residual taken out, {view}"] = _trained(tables["without_residual"], view)
    return verdicts


def _trained(rows: pd.DataFrame, view: str) -> dict[str, Any]:
    """The intervention by training: the shares after the last step."""
    own = rows[(rows["view"] == view) & (rows.control == "") & (rows.step == STEPS)]
    last = {str(row["arm"]): row for row in own.to_dict("records")}
    without, control = (estimate(last[arm], "degradation_share") for arm in ("without residual", "control"))
    row = last["without residual"]
    learned = bool(row["psnr"] > row["psnr_bicubic"] and row["residual"] == "none")
    return {
        "verdict": share_falls(without, control, learned=learned),
        "without residual": without.percent(),
        "control": control.percent(),
    }


def class_cases(rows: pd.DataFrame, view: str) -> list[Case]:
    """The cases of C1."""
    of_view = rows[rows["view"] == view]
    shares, pixels = (
        {
            str(row["network"]): ClassShares(estimate(row, "degradation_share"), estimate(row, "class_share"))
            for row in of_view[of_view.control == control].to_dict("records")
        }
        for control in ("", "pixels")
    )
    assert {*CLASSIFIERS, *SUPER_RESOLUTION} <= set(shares)
    return classes_or_degradations(shares, pixels)


def path_cases(rows: pd.DataFrame, view: str) -> dict[str, list[Case]]:
    """The cases of C4 by network, one for each kind of degradation."""
    of_view = rows[rows["view"] == view]
    pixels = of_view[of_view.control == "pixels"].groupby("family").spearman.first()
    cases: dict[str, list[Case]] = {}
    for _, path in of_view[of_view.control == ""].iterrows():
        cases.setdefault(str(path.network), []).append(path_case(path, float(pixels[path.family])))
    return cases


def depth_cases(rows: pd.DataFrame, view: str) -> dict[str, list[Case]]:
    """The case of C5 by network."""
    own = rows[(rows["view"] == view) & (rows.control == "")]
    return {name: [depth_case(own[own.network == name], name)] for name in DOZEN if name in set(own.network)}


def _pairs(rows: pd.DataFrame, changed: str) -> dict[str, tuple[Estimate, Estimate]]:
    """The flattened degradation share of each network without and with the intervention in the column ``changed``."""
    own = rows[(rows["view"] == "flattened") & (rows.control == "")]
    found: dict[str, dict[bool, Estimate]] = {}
    for row in own.to_dict("records"):
        found.setdefault(str(row["network"]), {})[bool(row[changed])] = estimate(row, "degradation_share")
    return {name: (both[False], both[True]) for name, both in found.items()}


def estimate(row: dict[Any, Any], measure: str) -> Estimate:
    """A measure of a row with its interval."""
    return Estimate.from_columns(cast(dict[str, Any], row), measure)


def _all_of(cases: Iterable[Case]) -> dict[str, Any]:
    """A claim that holds if all its cases do, and does not hold if none does."""
    own = list(cases)
    answers = [bool(case.holds) for case in own]
    verdict = "holds" if all(answers) else "not decided" if any(answers) else "does not hold"
    return {"verdict": verdict, "cases": [case.to_json() for case in own]}


if __name__ == "__main__":
    main()
