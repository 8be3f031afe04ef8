"""The bundled cards: in the hub's format, and their heads say what their bodies and files say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from commands import call_command
from ddrscope.identification.files import bundled_identifier
from ddrscope.images import bundled_photos
from ddrscope.networks.zoo import bundled_names, bundled_path, network_card

hub = pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")


def cells(body: str, head: str) -> list[list[str]]:
    """The rows of the table under the line that begins with ``head``."""
    below = body[body.index(head) :].split("\n\n")[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in below]


@pytest.mark.parametrize("name", bundled_names())
def test_a_network_has_a_card_that_the_hub_can_read(name: str) -> None:
    card = hub.ModelCard.load(bundled_path(name).with_suffix(".md"))
    assert (card.data.library_name, card.data.pipeline_tag, card.data.license) == (
        "ddrscope",
        "image-to-image",
        "apache-2.0",
    )
    assert card.data.model_name == name and card.data.datasets and card.data.tags
    with safe_open(bundled_path(name), framework="pt") as file:
        assert json.loads(file.metadata()["recipe"])["scale"] == int(re.findall(r"x(\d)", card.text)[0])
    said: dict[str, list[float]] = {}
    for one in card.data.eval_results:
        said.setdefault(one.metric_type, []).append(one.metric_value)
    assert set(said) == set(card.data.metrics) and {"psnr", "ssim", "lpips"} <= said.keys()
    rows = cells(card.text, "| photograph | PSNR |")
    for column, metric, unit in ((1, "psnr", 0.01), (3, "ssim", 1e-4), (5, "lpips", 1e-3)):
        mean = sum(float(row[column]) for row in rows) / len(rows)
        assert said[metric] == [pytest.approx(mean, abs=0.51 * unit)]
    if "degradation_share" in said:
        shares = cells(card.text, "| view | CHI by degradation |")
        assert said["degradation_share"] == [float(row[3].split("[")[0]) for row in shares]


@pytest.mark.slow
def test_models_show_prints_the_card_without_its_head() -> None:
    name = bundled_names()[0]
    printed = call_command("models", "show", name).stdout
    assert f"\n# {name}\n" in printed and "model-index" not in printed and "---\n" not in printed.replace("|---", "")
    assert (
        network_card(name).startswith(f"# {name}\n") and network_card("nothing") == network_card("../zoo/" + name) == ""
    )


def test_the_photographs_have_a_card_with_the_licence_of_each() -> None:
    card = hub.DatasetCard.load(bundled_photos() / "README.md")
    with (bundled_photos() / "credits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = {"CC0-1.0": "cc0-1.0", "CC-BY-2.0": "cc-by-2.0", "CC-BY-4.0": "cc-by-4.0", "Public domain": "other"}
    assert set(card.data.license) == {known[row["licence"]] for row in rows}
    table = {row[0]: row[1:] for row in cells(card.text, "| photograph | crops |")}
    assert table.keys() == {row["photograph"] for row in rows}
    for row in rows:
        crops, author, licence, source = table[row["photograph"]]
        assert (
            author == row["author"]
            and licence == f"[{row['licence']}]({row['licence_url']})"
            and row["source_file"] in source
        )
        assert int(crops) == sum(other["photograph"] == row["photograph"] for other in rows)


def test_the_identifier_has_a_card_of_the_very_file() -> None:
    card = hub.ModelCard.load(bundled_identifier("ddr").with_suffix(".md"))
    with safe_open(bundled_identifier("ddr"), framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    assert settings["sha256"] in card.text and f"`{settings['network']}`" in card.text
    types = [kind for row in cells(card.text, "| group | types |") for kind in row[1].split(", ")]
    assert sorted(types) == sorted(settings["types"])
    benchmark = Path(__file__).parents[2] / "experiments/identification/results/benchmark.json"
    measures = json.loads(benchmark.read_text())["ddr"]["as_bundled"]
    said = [one.metric_value for one in card.data.eval_results]
    assert said == [
        pytest.approx(one["value"], abs=6e-4) for key, one in measures.items() if key != "called_clean_by_level"
    ]


def test_the_compact_identifier_has_a_card_of_its_evaluation() -> None:
    card = hub.ModelCard.load(bundled_identifier().with_suffix(".md"))
    with safe_open(bundled_identifier(), framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    types = [kind for row in cells(card.text, "| group | types |") for kind in row[1].split(", ")]
    assert sorted(types) == sorted(settings["types"])
    results = Path(__file__).parents[2] / "experiments/identification/results/held-out-compact.json"
    suite = json.loads(results.read_text())["suite"]
    said = {one.metric_name: one.metric_value for one in card.data.eval_results}
    assert said["accuracy, 24 types and clean, levels 3 to 5"] == pytest.approx(
        suite["type_accuracy_strong"]["value"], abs=6e-4
    )
