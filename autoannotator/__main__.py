"""`python -m autoannotator`."""

import sys

from autoannotator.command_line import main

sys.exit(main())
