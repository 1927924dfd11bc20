"""`python -m candid_provider.emulator`."""

import sys

from candid_provider.emulator.server import main

sys.exit(main())
