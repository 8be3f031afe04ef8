"""What a run of ``ddrscope filter`` leaves in its folder: images in their places, lists, reasons, the contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ddrscope.filtering.deciding import Decided, borderline
from ddrscope.filtering.result import DECISIONS, LISTS, Decision, FilteredImage, write_decisions, write_lists
from ddrscope.filtering.sources import TABLE
from ddrscope.filtering.transfer import NotTransferred, Transfer
from ddrscope.images import ImageFile
from ddrscope.progress import Progress

SHEET = "borderline.png"
SHEET_IMAGES = 24
# Folders of copied and moved images. They are not among the outputs that `overwrite` deletes.
PLACES: dict[Decision, str] = {"keep": "kept", "reject": "rejected"}
OUTPUTS = (
    *LISTS.values(), DECISIONS, SHEET, TABLE, f"{TABLE}.images", f"{TABLE}.manifest.json", f"{TABLE}.parts",
)  # fmt: skip


def write_outputs(
    out: Path, reject: Sequence[str], decided: Sequence[Decided], transfer: Transfer | None, progress: Progress
) -> tuple[list[FilteredImage], list[str]]:
    """Bring images to their places, then write the lists, the reasons and the contact sheet.

    Args:
        out: The folder of the run.
        reject: The expressions, for the title of the contact sheet.
        decided: The rows with their decisions.
        transfer: Copies or moves a file; None: images stay where they are.
        progress: Receives the number of images that are copied or moved.

    Returns:
        The rows with where their files are, and notes.
    """
    filtered = _transfer_all(decided, transfer, progress) if transfer else [each.to_row() for each in decided]
    moved = transfer is not None and transfer.move
    places = [_place(each, row, out, moved) for each, row in zip(decided, filtered, strict=True)]
    left_out = write_lists(out, filtered, places)
    write_decisions(out, filtered)
    notes = []
    if left_out:
        notes.append(
            f"{left_out} images are in no list, since a line of text cannot hold their names (line breaks, spaces at an end, "
            f"bytes of no encoding): {DECISIONS} has them"
        )
    if not _write_sheet(out, reject, decided, filtered):
        notes.append(f"no image is near a threshold, so there is no {SHEET}")
    return filtered, notes


def _transfer_all(decided: Sequence[Decided], transfer: Transfer, progress: Progress) -> list[FilteredImage]:
    progress.start("moving" if transfer.move else "copying", len(decided))
    rows = []
    for each in decided:
        row = each.to_row()
        if each.decision in PLACES:
            candidate = each.candidate
            try:
                target = transfer(candidate.file, PLACES[each.decision], candidate.sha256)
                row = replace(row, out=str(target))
            except NotTransferred as error:
                done = "moved" if transfer.move else "copied"
                place = PLACES[each.decision]
                row = FilteredImage(row.path, "error", f"not {done} to {place}: {error}")
        rows.append(row)
        progress.advance()
    return rows


def _place(decided: Decided, row: FilteredImage, out: Path, moved: bool) -> str:
    """What stands for an image in a list: its path; once it is moved, where it is, relative to the list."""
    if moved and row.out is not None:
        return Path(row.out).relative_to(out).as_posix()
    return str(decided.candidate.file.path)


def _write_sheet(
    out: Path, reject: Sequence[str], decided: Sequence[Decided], filtered: Sequence[FilteredImage]
) -> bool:
    kept, rejected = borderline(decided, SHEET_IMAGES)
    if not kept and not rejected:
        (out / SHEET).unlink(missing_ok=True)
        return False
    # Imported late, since drawing takes a second to import.
    from ddrscope.viz.contact_sheet import SheetImage, write_contact_sheet

    now = {id(each): row.out for each, row in zip(decided, filtered, strict=True)}

    def described(each: Decided) -> SheetImage:
        file, place = each.candidate.file, now[id(each)]
        current = file if place is None else ImageFile(Path(place), file.name, file.photo)
        return SheetImage(current, each.reason or each.nearest)

    sections = {
        "kept, the nearest to being rejected first": [described(each) for each in kept],
        "rejected, the nearest to being kept first": [described(each) for each in rejected],
    }
    write_contact_sheet(out / SHEET, f"rejected if {' or '.join(reject)}", sections)
    return True
