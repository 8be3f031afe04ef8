"""Run every `ddrscope` command that a page or a help text prints, and record the outcome of each.

    python -m scripts.docs.run_commands HR OUT [--seconds 900] [--only TEXT]

HR holds the folders of `make photos`. The commands of a page run one after the other in OUT/PAGE, which receives stand-ins for the
files that they name (photos, mynet.pth, DIV2K_valid_HR ...) and links to files that earlier pages wrote. A command that several pages
print runs once. A command that takes longer than ``--seconds`` is interrupted as by Ctrl-C; a server is asked for its page first.
OUT/commands.csv receives a row per command; commands with a row are not run again. The exit status is 1 if a command failed.
"""

from __future__ import annotations

import argparse
import csv
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageFilter

from ddrscope.images import bundled_photos, find_images
from ddrscope.networks import load_network
from scripts.docs.printed_commands import ROOT, helped, printed

COMMAND = str(Path(sys.executable).with_name("ddrscope"))
# Commands that need a network or another machine.
ELSEWHERE = re.compile(r"s3://|10\.0\.0\.5|--install-completion")
CHECKPOINTS = {
    "mynet.pth": "srresnet-wgr", "other.pth": "srresnet-wogr", "mine.pth": "blind-plain",
    "runs/1.pth": "srresnet-wogr", "runs/2.pth": "srresnet-wgr",
}  # fmt: skip
DISTORTIONS = """[[distortion]]
name = "scanner"
group = "blur"
levels = ["blur:1", "blur:1.5", "blur:2", "blur:3", "blur:4+noise:5"]
"""
SCANS = ("scans/clean", "scans/yellowed", "scans/folded", "more/clean", "more/stained")
FIELDS = ("page", "command", "status", "seconds", "output")


def main(hr: Path, out: Path, seconds: float, only: str) -> int:
    given = out / "given"
    if not given.exists():
        make_stand_ins(given, hr)
    record = out / "commands.csv"
    rows = list(csv.DictReader(record.open())) if record.exists() else []
    done, ran, folders = (
        {(row["page"], row["command"]) for row in rows},
        {row["command"]: row for row in reversed(rows)},
        [given],
    )
    for page, words in printed("ddrscope") + helped():
        command, folder = shlex.join(words), out / page.replace(" --help", "-help")
        if folder not in folders:
            folders.append(folder)
        if (page, command) in done or only not in command:
            continue
        if ELSEWHERE.search(command):
            outcome = {"status": "", "seconds": "", "output": "not run: needs a network or another machine"}
            row = {"page": page, "command": command} | outcome
        elif command in ran:
            row = ran[command] | {"page": page, "seconds": "", "output": f"see {ran[command]['page']}"}
        else:
            folder.mkdir(parents=True, exist_ok=True)
            link_inputs(words, folder, folders)
            row = ran[command] = {"page": page, "command": command} | run(words, folder, seconds)
        rows.append(row)
        print(f"{row['status']:>4} {row['seconds']:>6} {page}: {command}\n            {row['output']}", flush=True)
        with record.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    return int(any(row["status"] not in ("", "0", "130") for row in rows))


def link_inputs(words: list[str], folder: Path, folders: list[Path]) -> None:
    """Link files that the command names and that ``folder`` lacks, from the page that wrote them last or from the stand-ins."""
    named = [
        word
        for before, word in zip(words[1:], words[2:], strict=False)
        if before != "--out" and not word.startswith("-")
    ]
    for word in named:
        pattern = word.partition("=")[2] or word
        top = pattern.split("/")[0]
        if not top or any(folder.glob(pattern)):
            continue
        for other in reversed(folders):
            if other != folder and any(other.glob(pattern)):
                # A copy made of links, so that a command writes only into the folder of its own page.
                subprocess.run(["cp", "-rsL", str((other / top).resolve()), str(folder / top)], check=True)
                break


def run(words: list[str], folder: Path, seconds: float) -> dict[str, str]:
    """Run one command. Returns its exit status, seconds, and the last line of its output."""
    started = time.monotonic()
    with (folder / "output.txt").open("w+b") as output:
        process = subprocess.Popen(
            [COMMAND, *words[1:]], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        answer = ""
        if words[1] == "serve":
            answer = wait_for_page(folder / "output.txt", process, seconds)
            seconds = 1
        # During imports an interrupt can be swallowed by a bare except of a library: send up to three.
        for patience in (seconds, 120, 120, None):
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines() or [""]
    return {
        "status": str(process.returncode),
        "seconds": f"{time.monotonic() - started:.0f}",
        "output": answer + lines[-1][-200:],
    }


def wait_for_page(output: Path, process: subprocess.Popen[bytes], seconds: float) -> str:
    """Request the page whose address the server prints. Returns a description of the answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        address = re.search(r"http://[\w.:]+", output.read_text(errors="replace"))
        if address:
            with urllib.request.urlopen(address[0], timeout=60) as answer:
                return f"{address[0]} answered {answer.status}; "
        time.sleep(0.5)
    return "no page; "


def make_stand_ins(folder: Path, hr: Path) -> None:
    # A dozen images each: enough to fit and to score, few enough to be fast.
    bundled = [Image.open(file.path).convert("RGB") for file in find_images([bundled_photos()])[::2][:12]]
    for name in ("photos/phone", "photos/scan", "runs", *SCANS):
        (folder / name).mkdir(parents=True)
    for number, image in enumerate(bundled):
        if number < 4:
            image.save(folder / f"photos/{number}.png")
        image.save(folder / f"photos/phone/{number}.jpg", quality=30)
        image.filter(ImageFilter.GaussianBlur(1)).save(folder / f"photos/scan/{number}.png")
        pixels = np.asarray(image)
        yellowed, folded, stained = pixels * [1, 0.92, 0.7], pixels.astype(float), pixels.astype(float)
        folded[120:126] *= 0.6
        stained[60:140, 60:140] = stained[60:140, 60:140] * 0.7 + [30, 20, 0]
        for name, scan in (("scans/yellowed", yellowed), ("scans/folded", folded), ("more/stained", stained)):
            Image.fromarray(scan.round().astype(np.uint8)).save(folder / f"{name}/{number}.png")
        for name in ("scans/clean", "more/clean"):
            image.save(folder / f"{name}/{number}.png")
    bundled[0].save(folder / "photo.jpg", quality=90)
    for path, network in CHECKPOINTS.items():
        torch.save(load_network(network).module.state_dict(), folder / path)
    (folder / "mine.toml").write_text(DISTORTIONS)
    (folder / "hr").symlink_to(hr.resolve())
    (folder / "src").symlink_to(ROOT / "src")
    (folder / "DIV2K_valid_HR").mkdir()
    for photo in sorted([*(hr / "test").iterdir(), *(hr / "train").iterdir()]):
        (folder / "DIV2K_valid_HR" / photo.name).symlink_to(photo.resolve())
    table = labelled_features(folder)
    table.to_parquet(folder / "features.parquet")


def labelled_features(folder: Path) -> pd.DataFrame:
    """Features of images of two cameras, with a column ``camera``."""
    tables = []
    for camera in ("phone", "scan"):
        words = ["features", "srgan-wgr", "--images", f"photos/{camera}", "--crop", "64", "--view", "pooled"]
        subprocess.run([COMMAND, *words, "--out", f"{camera}.parquet"], cwd=folder, check=True)
        tables.append(pd.read_parquet(folder / f"{camera}.parquet").assign(camera=camera))
    return pd.concat(tables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--only", default="", help="only commands that contain this text")
    arguments = parser.parse_args()
    sys.exit(main(arguments.hr, arguments.out.resolve(), arguments.seconds, arguments.only))
