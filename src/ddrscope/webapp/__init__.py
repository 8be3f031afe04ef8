"""The pages of `ddrscope serve`, on this machine."""

import os

# Read by gradio at import: it would otherwise report each start, and check for newer versions, over the network.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
