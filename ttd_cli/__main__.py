"""`python -m ttd_cli`, the same as `ttd`."""

from __future__ import annotations

import sys

from ttd_cli.app import main

if __name__ == "__main__":
    sys.exit(main())
