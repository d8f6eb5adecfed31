"""`python -m mcviz` does what `mcviz` does."""

import sys

from mcviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
