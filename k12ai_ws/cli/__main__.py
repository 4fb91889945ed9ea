"""`python -m k12ai_ws.cli`: the same as `k12ai`."""

import sys

from k12ai_ws.cli import main

sys.exit(main())
