"""Examples: images, texts and rows of numbers from files.

The names stand in `__init__.pyi`. Each is imported when it is first asked for: whoever opens a run needs neither pandas
nor Pillow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
