"""Sampling as jobs: each in a process of its own, one at a time, with its state on disk, and without TensorFlow."""

from mcviz.jobs.queue import FOLDER, Ending, FoundJob, Job, JobProgress, Jobs, JobState, Top

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
