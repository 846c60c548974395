"""`ttd --help` against importing typer and rich, which it cannot do without. Goal: at most 1.3 times.

Both sides are whole processes, taken in turns; the ratio is that of their fastest runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

ROUNDS = 10
# What `--help` needs of the two whoever calls it: the parser, and the panels it is printed in.
LIBRARIES = "import typer, typer.main, typer.rich_utils, rich.console, rich.panel, rich.table"
PRODUCT = "import sys; from ttd_cli.app import main; sys.exit(main(['--help']))"


def seconds(code: str) -> float:
    """Wall time of a fresh interpreter running the code."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "80"}
    )
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print the ratio."""
    seconds(LIBRARIES), seconds(PRODUCT)  # once unmeasured, so that both find compiled files
    pairs = [(seconds(PRODUCT), seconds(LIBRARIES)) for _ in range(ROUNDS)]
    product, libraries = (min(side) for side in zip(*pairs, strict=True))
    print(f"ttd --help {product:.3f} s, importing typer and rich {libraries:.3f} s: {product / libraries:.2f} times")
    print("goal: at most 1.3 times")


if __name__ == "__main__":
    main()
