"""See what an image-restoration network knows about the degradation of its input, and put that to work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddrscope.analysis import AnalysisResult, analyze
    from ddrscope.batch.degrade import DegradeResult, degrade
    from ddrscope.degradations import parse_degradation
    from ddrscope.errors import DdrscopeError, InputError, MissingDependencyError, RunConflictError
    from ddrscope.extraction import ExtractedFeatures, extract_features
    from ddrscope.features.layer_list import list_layers
    from ddrscope.generalization import GeneralizationResult, generalize
    from ddrscope.identification import (
        DistortionMap,
        Identification,
        IdentificationResult,
        IdentifiedImage,
        ImageIdentifier,
        identify,
        load_identifier,
        save_identifier,
    )
    from ddrscope.identification.fit import fit_identifier
    from ddrscope.images import bundled_photos, find_images, read_image
    from ddrscope.maps import MapResult, map_features
    from ddrscope.metrics.estimate import Estimate
    from ddrscope.networks import (
        Network,
        list_networks,
        load_network,
        network_card,
        save_network,
        save_to_hub_folder,
    )
    from ddrscope.study import StudyResult, run_study
    from ddrscope.training import TrainingResult, train
    from ddrscope.upscaling import UpscalingResult, enlarge, upscale

    __version__: str

# Imported at first use, so that `import ddrscope` and `ddrscope --help` do not wait for PyTorch.
_MODULES = {
    "AnalysisResult": "ddrscope.analysis",
    "DdrscopeError": "ddrscope.errors",
    "DegradeResult": "ddrscope.batch.degrade",
    "DistortionMap": "ddrscope.identification",
    "Estimate": "ddrscope.metrics.estimate",
    "ExtractedFeatures": "ddrscope.extraction",
    "GeneralizationResult": "ddrscope.generalization",
    "Identification": "ddrscope.identification",
    "IdentificationResult": "ddrscope.identification",
    "IdentifiedImage": "ddrscope.identification",
    "ImageIdentifier": "ddrscope.identification",
    "InputError": "ddrscope.errors",
    "MapResult": "ddrscope.maps",
    "MissingDependencyError": "ddrscope.errors",
    "Network": "ddrscope.networks",
    "RunConflictError": "ddrscope.errors",
    "StudyResult": "ddrscope.study",
    "TrainingResult": "ddrscope.training",
    "UpscalingResult": "ddrscope.upscaling",
    "analyze": "ddrscope.analysis",
    "bundled_photos": "ddrscope.images",
    "degrade": "ddrscope.batch.degrade",
    "enlarge": "ddrscope.upscaling",
    "extract_features": "ddrscope.extraction",
    "find_images": "ddrscope.images",
    "fit_identifier": "ddrscope.identification.fit",
    "generalize": "ddrscope.generalization",
    "identify": "ddrscope.identification",
    "list_layers": "ddrscope.features.layer_list",
    "list_networks": "ddrscope.networks",
    "load_identifier": "ddrscope.identification",
    "load_network": "ddrscope.networks",
    "map_features": "ddrscope.maps",
    "network_card": "ddrscope.networks",
    "parse_degradation": "ddrscope.degradations",
    "read_image": "ddrscope.images",
    "run_study": "ddrscope.study",
    "save_identifier": "ddrscope.identification",
    "save_network": "ddrscope.networks",
    "save_to_hub_folder": "ddrscope.networks",
    "train": "ddrscope.training",
    "upscale": "ddrscope.upscaling",
}

__all__ = [
    "AnalysisResult",
    "DdrscopeError",
    "DegradeResult",
    "DistortionMap",
    "Estimate",
    "ExtractedFeatures",
    "GeneralizationResult",
    "Identification",
    "IdentificationResult",
    "IdentifiedImage",
    "ImageIdentifier",
    "InputError",
    "MapResult",
    "MissingDependencyError",
    "Network",
    "RunConflictError",
    "StudyResult",
    "TrainingResult",
    "UpscalingResult",
    "__version__",
    "analyze",
    "bundled_photos",
    "degrade",
    "enlarge",
    "extract_features",
    "find_images",
    "fit_identifier",
    "generalize",
    "identify",
    "list_layers",
    "list_networks",
    "load_identifier",
    "load_network",
    "map_features",
    "network_card",
    "parse_degradation",
    "read_image",
    "run_study",
    "save_identifier",
    "save_network",
    "save_to_hub_folder",
    "train",
    "upscale",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("ddrscope.version").version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
