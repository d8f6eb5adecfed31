"""A study on MNIST: which detectors find out-of-distribution images, and do higher moments of the passes help?

`python -m benchmarks.ood` measures, `python -m benchmarks.ood.pixels` measures the baseline that needs no network,
`python -m benchmarks.ood.tables` prints the tables of docs/higher-moments.md from the figures that are kept here, and
`python -m benchmarks.ood.cell` draws what is behind one of these figures.
"""
