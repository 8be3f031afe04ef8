"""Networks: the SRResNet family, files of weights from anywhere, and those that have a name."""

from ddrscope.networks.architectures.edsr import EDSR
from ddrscope.networks.architectures.guided import DegradationGuide, GuidedSRResNet
from ddrscope.networks.architectures.plain import PlainSR
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.networks.checkpoints.hub import save_to_hub_folder
from ddrscope.networks.checkpoints.weights import save_network
from ddrscope.networks.global_residual import ResidualMeasurement, measure_global_residual
from ddrscope.networks.loading import load_named_network, load_network
from ddrscope.networks.network import Network, disambiguate_names, reinitialized_copy
from ddrscope.networks.zoo import ListedNetwork, list_networks, network_names

__all__ = [
    "EDSR",
    "DegradationGuide",
    "GuidedSRResNet",
    "ListedNetwork",
    "Network",
    "PlainSR",
    "ResidualMeasurement",
    "SRResNet",
    "list_networks",
    "load_named_network",
    "load_network",
    "measure_global_residual",
    "network_names",
    "reinitialized_copy",
    "save_network",
    "save_to_hub_folder",
    "disambiguate_names",
]
