"""`python -m encoder_tui`: the command line.

`encoder_tui` is a namespace, the folders of this project its parts; this folder is what lies in the namespace itself
(see `package-dir` in pyproject.toml). It has no `__init__.py`, which would make a package of it and hide the others.
"""

import sys

from encoder_tui.tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
