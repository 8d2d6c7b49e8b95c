"""``python -m core.verify``."""

import sys

from .command import main

sys.exit(main())
