"""The browser's face of the rooms above: pages on this machine, no algorithms."""

import os

# Read by gradio when it is imported: it would report each start, and ask for newer versions, over the network.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
