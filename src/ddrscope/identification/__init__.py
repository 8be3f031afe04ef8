"""What is wrong with an image: type, level, whether it is like anything known, and where."""

from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.files import bundled_identifier, load_identifier, save_identifier
from ddrscope.identification.identifier import DistortionIdentifier, Predictions
from ddrscope.identification.image_identifier import DistortionMap, Finding, ImageIdentifier
from ddrscope.identification.run import Identification, IdentifyTask

__all__ = [
    "DistortionMap",
    "Descriptor",
    "DistortionIdentifier",
    "Finding",
    "Predictions",
    "Identification",
    "IdentifyTask",
    "ImageIdentifier",
    "bundled_identifier",
    "load_identifier",
    "save_identifier",
]
