"""Recognition of cameras' raw files, which hold undeveloped sensor data and a small preview.

The preview must not be taken for the photograph, so raw files are refused. They are recognized by their content, since
many have the suffix of a TIFF.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import tifffile

RAW_SUFFIXES = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srf .srw "
    ".x3f".split()
)
REMEDY = "develop it to a TIFF or PNG first (darktable, RawTherapee, dcraw -T)"
_MAGIC = (
    b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip
_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _DNG_VERSION = 254, 262, 50706
_CFA, _LINEAR_RAW = 32803, 34892
# Raw files have two to five pages and sub-images; a crafted file may have millions.
_MAX_PAGES = 8


def is_raw(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of a raw file."""
    canon = head[4:11] in (b"\x10\0\0\0CR\x02", b"\0\0\0\x10CR\x02")
    phase_one = (head[8:12], head[13:16]) == (b"IIII", b"waR") or head[8:15] == b"MMMMRaw"
    return head.startswith(_MAGIC) or head[4:12] == b"ftypcrx " or canon or phase_one


def check_not_raw(tiff: tifffile.TiffFile) -> None:
    """Raise ValueError for a raw file, and for a TIFF whose first page is a reduced version of another page."""
    first, *others = itertools.islice(_directories(tiff), _MAX_PAGES)
    if _DNG_VERSION in first or any(tags.get(_PHOTOMETRIC) in (_CFA, _LINEAR_RAW) for tags in (first, *others)):
        raise ValueError(f"is a raw file of a camera: {REMEDY}")
    subfile_type = first.get(_NEW_SUBFILE_TYPE, 0)
    if others and isinstance(subfile_type, int) and subfile_type & 1:
        raise ValueError(
            "its first page is a reduced version of another page: save the full image as a file of its own"
        )


def _directories(tiff: tifffile.TiffFile) -> Iterator[dict[int, object]]:
    """The tags of each page and of each page's sub-images, as far as they can be read."""
    for number in itertools.count():
        try:
            page = tiff.pages[number]
        except Exception:
            # After the last page, or a directory that cannot be read. The first page must be readable.
            if number:
                return
            raise
        yield _tags(page)
        try:
            if sub_images := page.pages:
                for index in range(min(_MAX_PAGES, len(page.subifds or ()))):
                    yield _tags(sub_images[index])
        # A broken sub-image does not make the page unreadable.
        except Exception:
            continue


def _tags(page: tifffile.TiffPage | tifffile.TiffFrame) -> dict[int, object]:
    if isinstance(page, tifffile.TiffFrame):
        return {}
    codes = (_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _DNG_VERSION)
    return {code: page.tags[code].value for code in codes if code in page.tags}
