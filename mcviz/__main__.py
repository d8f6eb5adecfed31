"""Run `mcviz` as `python -m mcviz`."""

from mcviz.cli import run

if __name__ == "__main__":
    run()
