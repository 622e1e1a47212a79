"""Print the page about the synthetic sky."""

import sys

from pulsaurora.simulation.scenes import markdown

sys.stdout.write(markdown())
