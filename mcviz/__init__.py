"""Show which examples a model is uncertain about, and how far to trust that.

`__init__.pyi` lists the public names. Each is imported at its first use.
"""

from mcviz import interrupts

if interrupts.is_command():
    interrupts.install_exit_handler("stopped.")

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
