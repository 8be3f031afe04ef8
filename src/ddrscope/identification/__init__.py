"""Identification of distortions: which, how strong, whether like anything known, and where.

`fit_identifier` is imported from `ddrscope.identification.fit`, since identifying an image does not need it.
"""

from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.files import bundled_identifier, load_identifier, save_identifier
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.predictions import Details, Predictions
from ddrscope.identification.result import IdentificationResult
from ddrscope.identification.run import identify, iter_identifications
from ddrscope.identification.worker import IdentificationTask, IdentificationWorker
from ddrscope.results.identification import DistortionMap, Identification, IdentifiedImage

__all__ = [
    "Descriptor",
    "Details",
    "DistortionIdentifier",
    "DistortionMap",
    "Identification",
    "IdentificationResult",
    "IdentificationTask",
    "IdentificationWorker",
    "IdentifiedImage",
    "ImageIdentifier",
    "Predictions",
    "bundled_identifier",
    "identify",
    "iter_identifications",
    "load_identifier",
    "save_identifier",
]
