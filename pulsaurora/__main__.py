"""``python -m pulsaurora`` is the ``pulsaurora`` command."""

import sys

from pulsaurora.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
