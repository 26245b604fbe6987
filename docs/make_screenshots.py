"""Make the pictures of the docs from the real program.

Run it with a display of at least 1600 x 1000, for example::

    xvfb-run -a -s '-screen 0 1600x1000x24' python docs/make_screenshots.py

It writes the pictures of each module in ``docs/pictures`` to ``docs/images``; with
names of modules as arguments (``docks``, ``devices`` and the like) only theirs. Each
module runs in a process of its own, with a core of its own, and leaves no other trace:
settings and data go to a temporary folder.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS = Path(__file__).parent
MODULES = sorted(p.stem for p in (DOCS / "pictures").glob("*.py") if p.stem != "stage")

_PROGRAM = """\
import sys
from pathlib import Path

docs, module = Path(sys.argv[1]), sys.argv[2]
sys.path[:0] = [str(docs / "pictures"), str(docs)]
import stage

stage.keep_away()  # before napari is imported
for path in __import__(module).pictures(docs / "images"):
    print(path, path.stat().st_size)
"""


def main(wanted: Sequence[str]) -> int:
    """Make the pictures that are wanted, by default all; return 1 if some failed."""
    failed = []
    for module in wanted or MODULES:
        command = [sys.executable, "-c", _PROGRAM, str(DOCS), module]
        if subprocess.run(command, check=False).returncode:
            failed.append(module)
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
