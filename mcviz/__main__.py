"""`python -m mcviz` does what `mcviz` does."""

from mcviz.cli import run

if __name__ == "__main__":
    run()
