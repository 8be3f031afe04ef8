"""The rules of the experiment on published networks, on tables whose verdict is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.published_networks.checkouts import imports_from
from experiments.published_networks.checkpoints import teams_of
from experiments.published_networks.rules import adversarial_above, compare_residuals, grows_with_training


def networks(with_residual: list[float], without: list[float]) -> pd.DataFrame:
    shares = [*with_residual, *without]
    return pd.DataFrame(
        {
            "residual": [True] * len(with_residual) + [False] * len(without),
            "share": shares,
            "family": [str(number) for number in range(len(shares))],
            "year": ["2025", "2026"] * (len(shares) // 2),
        }
    )


@pytest.mark.slow
def test_clear_order_holds_and_chance_is_not_decided() -> None:
    low = np.linspace(0.1, 0.4, 14).tolist()
    clear = compare_residuals(networks([0.5, 0.6, 0.7, 0.8, 0.9, 0.95], low))
    assert clear.verdict == "holds" and clear.auc == pytest.approx((1, 1, 1)) and clear.p_value < 0.001
    assert clear.networks == clear.families == (6, 14) and clear.medians[0] == 0.75
    mixed = compare_residuals(networks([0.12, 0.2, 0.27, 0.33, 0.38, 0.15], low))
    assert mixed.verdict == "not decided" and mixed.auc[1] < 0.5 < mixed.auc[2]
    below = compare_residuals(networks([0.01, 0.02, 0.03, 0.04, 0.05, 0.06], low))
    assert below.verdict == "does not hold" and below.p_value > 0.99


@pytest.mark.slow
def test_one_family_is_one_observation() -> None:
    """Copies of one network do not narrow the interval, as networks of their own do."""
    table = networks([0.45, 0.45, 0.45, 0.2, 0.2, 0.2], np.linspace(0.1, 0.5, 14).tolist())
    apart = compare_residuals(table)
    table.loc[table.residual, "family"] = ["a", "a", "a", "b", "b", "b"]
    together = compare_residuals(table)
    assert together.auc[0] == apart.auc[0] and together.families == (2, 14)
    assert together.auc[2] - together.auc[1] > 1.2 * (apart.auc[2] - apart.auc[1])


def test_pairs_and_series() -> None:
    assert adversarial_above((0.1, 0.09, 0.11), (0.3, 0.29, 0.31)) == "holds"
    assert adversarial_above((0.3, 0.29, 0.31), (0.1, 0.09, 0.11)) == "does not hold"
    assert adversarial_above((0.1, 0.05, 0.2), (0.15, 0.12, 0.3)) == "not decided"
    assert grows_with_training([1, 50, 100, 300], [0, 0.1, 0.2, 0.3]) == (1, True)
    assert not grows_with_training([1, 50, 100, 300], [0.3, 0.1, 0.2, 0.1])[1]


def test_a_checkout_is_imported_and_forgotten(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "models").mkdir(parents=True)
        (tmp_path / name / "models" / f"net_{name}.py").write_text(f"NAME = {name!r}\n")
    with imports_from(tmp_path / "one"):
        from models import net_one  # type: ignore[import-not-found]
    with imports_from(tmp_path / "other"):
        from models import net_other
    assert (net_one.NAME, net_other.NAME) == ("one", "other")


def test_the_team_of_a_weight_file(tmp_path: Path) -> None:
    (tmp_path / "test_demo.py").write_text(
        "if model_id == -1:\n    model_path = os.path.join('model_zoo', 'base.pth')\n"
        "elif model_id == 7:\n    pass\n"
        'elif model_id == 12:\n    model.load_state_dict(torch.load("model_zoo/team12_x.pt"))\n'
    )
    assert teams_of(tmp_path) == {"base.pth": -1, "team12_x.pt": 12}
    assert teams_of(tmp_path / "elsewhere") == {}
