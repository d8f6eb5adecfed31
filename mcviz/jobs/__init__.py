"""Sampling as jobs: each in a process of its own, one at a time, with its state on disk, and without TensorFlow."""

from mcviz.jobs.job import Ending, Job, JobProgress, Top
from mcviz.jobs.queue import FOLDER, FoundJob, Jobs, JobState

__all__ = [
    "FOLDER",
    "Ending",
    "FoundJob",
    "Job",
    "JobProgress",
    "JobState",
    "Jobs",
    "Top",
]
