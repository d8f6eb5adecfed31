"""Sampling jobs: own processes, one at a time, state on disk, without TensorFlow."""

from mcviz.jobs.queue import FOLDER as FOLDER
from mcviz.jobs.queue import Ending as Ending
from mcviz.jobs.queue import FoundJob as FoundJob
from mcviz.jobs.queue import Job as Job
from mcviz.jobs.queue import JobProgress as JobProgress
from mcviz.jobs.queue import Jobs as Jobs
from mcviz.jobs.queue import JobState as JobState
from mcviz.jobs.queue import Top as Top
