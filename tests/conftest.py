"""What every test stands on."""

import os

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

settings.register_profile("any machine", deadline=None)  # a slow moment is not a broken law
settings.load_profile("any machine")
