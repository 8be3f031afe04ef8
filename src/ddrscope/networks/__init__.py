"""Networks: the SRResNet family, files of weights from anywhere, and those that have a name."""

from ddrscope.networks.edsr import EDSR
from ddrscope.networks.guided import DegradationGuide, GuidedSRResNet
from ddrscope.networks.hub import save_to_hub_folder
from ddrscope.networks.loading import load_named_network, load_network
from ddrscope.networks.network import Network, random_twin, tell_apart
from ddrscope.networks.plain import PlainSR
from ddrscope.networks.residual import ResidualMeasurement, measure_global_residual
from ddrscope.networks.srresnet import SRResNet
from ddrscope.networks.weights import save_network
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
    "random_twin",
    "save_network",
    "save_to_hub_folder",
    "tell_apart",
]
