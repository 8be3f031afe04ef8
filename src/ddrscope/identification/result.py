"""The result of `identify`, with its figure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ddrscope.results.identification_files import to_table
from ddrscope.results.identification_table import IdentificationTable, to_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# In a notebook.
SHOWN_ROWS = 10
SHOWN_COLUMNS = [
    "path",
    "type",
    "group",
    "probability",
    "level",
    "level_low",
    "level_high",
    "novelty",
    "unseen",
    "error",
]


class IdentificationResult(IdentificationTable):
    """The identifications of `ddrscope.identify`, in the order of the images' names.

    Iterate over it for `IdentifiedImage` rows. The result of a run with ``out`` reads them from the file as they are
    needed, so that it may have millions.

    Examples:
        >>> result = ddrscope.identify("photos", out="findings.parquet", resume=True)
        >>> result.summary.groups
        {'clean': 120, 'blur': 31, 'noise': 7}
        >>> [row.path for row in result if row.identification and row.identification.unseen]
    """

    def plot(self) -> Figure:
        """How many images are of each type."""
        from ddrscope.viz.identification import types_figure

        return types_figure(self)

    def _repr_html_(self) -> str:
        table = to_table(islice(self, SHOWN_ROWS), self.names).select(SHOWN_COLUMNS)
        return str(to_frame([table]).to_html(index=False, float_format="{:.3g}".format, na_rep=""))
