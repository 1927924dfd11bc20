"""Run the command line as ``python -m candid_provider.cli``."""

import sys

from candid_provider.cli import main

sys.exit(main())
