"""Show which inputs a model is uncertain about, and how far that can be trusted.

The public names stand in `__init__.pyi`. Each is imported when it is first asked for: a look at a run needs no
TensorFlow, which takes seconds, and `mcviz --help` not even numpy.
"""

from mcviz import interrupts

if interrupts.is_command():
    interrupts.install_exit_handler("stopped.")

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
