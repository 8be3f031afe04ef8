"""Train the network of the bundled identifier on tiles; resumable.

    python -m scripts.identifier.train OUT --banks TILES [TILES ...] --steps 15000

TILES are folders that `scripts.identifier.tiles` wrote. OUT gets ``checkpoint.pt`` every few minutes, ``weights.pt`` (the averaged
weights) and ``log.csv``. The same command goes on where it was stopped. ``--start`` begins with other weights, ``--limit`` uses so many
tiles only, which compares starts.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddrscope.identification.scales import SCALES
from ddrscope.identification.tile_bank import TileBank
from ddrscope.identification.tile_loss import tile_loss
from ddrscope.identification.tile_network import TileNetwork, TileOutputs
from ddrscope.identification.tiles import TILE
from ddrscope.results.vocabulary import ESTIMATES
from scripts.identifier.split import is_held_out

PEAK_RATE, WEIGHT_DECAY, EMA_DECAY = 2e-3, 0.02, 0.998
VALIDATION_TILES = 3000
LOG_EVERY, SAVE_EVERY = 100, 300
# What counts as damage where an estimate is judged.
VISIBLE = {"blur_sigma": (0.7, 99), "noise_sigma": (3, 255), "jpeg_quality": (1, 95), "native_scale": (1.5, 99)}


@dataclass
class Data:
    """Tiles of several banks as one; rows are triples of bank, index and whether the photograph is held out.

    Args:
        banks: The tiles.
        limit: Use so many for training; 0: all.
        seed: Of the choice, the order and the parts.
        size: Of a batch.
        side: Of the part of a tile that is used for training.
    """

    banks: list[TileBank]
    limit: int
    seed: int
    size: int
    side: int

    def __post_init__(self) -> None:
        held_out = [[is_held_out(name) for name in bank.photo_names] for bank in self.banks]
        rows = [
            (number, index, held_out[number][photo])
            for number, bank in enumerate(self.banks)
            for index, photo in enumerate(bank.photos)
        ]
        table = np.array(rows)
        random = np.random.default_rng(self.seed)
        self.train = random.permutation(table[table[:, 2] == 0])[: self.limit or None]
        self.validation = np.random.default_rng(0).permutation(table[table[:, 2] == 1])[:VALIDATION_TILES]

    def batch(
        self, rows: NDArray[np.int64], random: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tiles, levels and truths of these rows; for training parts of the tiles, mirrored or not."""
        parts = [(self.banks[bank], index) for bank, index, _ in rows]
        tiles = np.stack([bank.tiles[index] for bank, index in parts])
        truths = np.stack([bank.truths[index] for bank, index in parts])
        if random and random.random() < 0.5:
            tiles = tiles[:, :, ::-1]
            # The sine of twice the angle of a motion.
            truths[:, len(ESTIMATES) + 1] *= -1
        if random:
            top, left = random.integers(tiles.shape[1] - self.side + 1, size=2)
            tiles = tiles[:, top : top + self.side, left : left + self.side]
        images = torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float() / 255
        levels = torch.from_numpy(np.stack([bank.levels[index] for bank, index in parts]))
        return images.contiguous(memory_format=torch.channels_last), levels, torch.from_numpy(truths)

    def batches(self, first: int, last: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches of these steps, whatever was run before."""
        per_epoch = max(1, len(self.train) // self.size)
        for step in range(first, last):
            epoch, place = divmod(step, per_epoch)
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train))
            rows = self.train[order[place * self.size : (place + 1) * self.size]]
            # Dropout too depends on the step alone, so that a resumed training is the same to the bit.
            torch.manual_seed(int(np.random.default_rng([self.seed, step, 2]).integers(2**31)))
            yield self.batch(rows, np.random.default_rng([self.seed, step, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--banks", nargs="+", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--limit", type=int, default=0, help="use so many tiles only (default: all)")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=TILE, help="train on so large a part of each tile (default: all)")
    parser.add_argument("--rate", type=float, default=PEAK_RATE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    data = Data(
        [TileBank.open(folder) for folder in arguments.banks],
        arguments.limit,
        arguments.seed,
        arguments.batch,
        arguments.side,
    )
    print(f"{len(data.train)} tiles to train, {len(data.validation)} to validate", flush=True)
    network = TileNetwork(len(data.banks[0].types)).to(memory_format=torch.channels_last)
    if arguments.start:
        kept = network.load_state_dict(torch.load(arguments.start, weights_only=True), strict=False)
        print(f"begins with {arguments.start}; new: {kept.missing_keys}")
    train(network, data, arguments.out, arguments.steps, arguments.rate)


def train(network: TileNetwork, data: Data, out: Path, steps: int, rate: float, save_every: int = SAVE_EVERY) -> None:
    """Train to the last step, from the checkpoint in ``out`` if there is one."""
    out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    checkpoint, step = out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        step = state["step"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    started = time.monotonic()
    running: dict[str, float] = {}
    network.train()
    for images, levels, truths in data.batches(step, steps):
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(images)
        total, shares = tile_loss(
            TileOutputs(**{name: value.float() for name, value in vars(outputs).items()}), levels, truths
        )
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        step += 1
        for name, value in shares.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        if step % LOG_EVERY == 0:
            row = {"step": step, "seconds": round(time.monotonic() - started), **running}
            print({name: round(value, 3) for name, value in row.items()}, flush=True)
        if step % save_every == 0 or step == steps:
            _save(checkpoint, {"step": step, **{name: part.state_dict() for name, part in parts.items()}})
            _save(out / "weights.pt", average.module.state_dict())
        if step % (10 * SAVE_EVERY) == 0 or step == steps:
            _log(out / "log.csv", {"step": step, **running, **validate(average.module, data)})


def validate(network: torch.nn.Module, data: Data) -> dict[str, float]:
    """Accuracy of tiles with one distortion, strong ones and clean ones; median errors and coverage of estimates."""
    network.eval()
    pieces = np.array_split(data.validation, max(1, len(data.validation) // 100))
    outputs, levels, truths = [], [], []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for rows in pieces:
            images, own_levels, own_truths = data.batch(rows)
            outputs.append(network(images))
            levels.append(own_levels)
            truths.append(own_truths)
    network.train()
    level, truth = torch.cat(levels), torch.cat(truths)
    best = torch.cat([each.presence.float() for each in outputs]).argmax(1)
    estimates = torch.cat([each.estimates.float() for each in outputs])
    count = (level > 0).sum(1)
    one, clean = ((count == number) & ~level.isnan().any(1) for number in (1, 0))
    right = best == level.nan_to_num().argmax(1) + 1
    strong = one & (level.nan_to_num().amax(1) >= 3)
    result = {"types": right[one], "types_strong": right[strong], "clean": (best == 0)[clean]}
    measures = {name: float(values.float().mean()) for name, values in result.items()}
    for index, name in enumerate(ESTIMATES):
        low, middle, high = SCALES[name].inverse(estimates[:, index]).unbind(1)
        value = truth[:, index]
        lower, upper = VISIBLE.get(name, (-99, 1e9))
        visible = (value >= lower) & (value <= upper)
        measures[f"{name}_error"] = float((middle - value).abs()[visible].median())
        measures[f"{name}_relative_error"] = float(((middle - value).abs() / value.abs())[visible].median())
        measures[f"{name}_coverage"] = float(((low <= value) & (value <= high))[visible].float().mean())
    print({name: round(value, 3) for name, value in measures.items()}, flush=True)
    return measures


def _save(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _log(path: Path, row: dict[str, float]) -> None:
    begins = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if begins:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
