"""Sampling as jobs: each in a process of its own, one at a time, with its state on disk, and without TensorFlow."""

from mcviz.jobs.job import Ending, Job, Progress, Top
from mcviz.jobs.queue import FOLDER, FoundJob, Jobs, State

__all__ = [
    "FOLDER",
    "Ending",
    "FoundJob",
    "Job",
    "Jobs",
    "Progress",
    "State",
    "Top",
]
