"""Examples: images, texts and rows of numbers from files.

`__init__.pyi` lists the names. Each is imported at its first use: opening a run needs neither pandas nor Pillow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
