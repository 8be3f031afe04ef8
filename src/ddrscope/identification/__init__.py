"""What is wrong with a picture: type, level, whether it is like anything known, and where."""

from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.files import bundled_identifier, load_identifier, save_identifier
from ddrscope.identification.identifier import DistortionIdentifier, Findings
from ddrscope.identification.picture import DamageMap, Finding, PictureIdentifier
from ddrscope.identification.run import Identification, IdentifyTask

__all__ = [
    "DamageMap",
    "Descriptor",
    "DistortionIdentifier",
    "Finding",
    "Findings",
    "Identification",
    "IdentifyTask",
    "PictureIdentifier",
    "bundled_identifier",
    "load_identifier",
    "save_identifier",
]
