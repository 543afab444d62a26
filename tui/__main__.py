"""`python -m encoder_tui.tui` is `encoder-tui`."""

import sys

from .cli import main

sys.exit(main())
