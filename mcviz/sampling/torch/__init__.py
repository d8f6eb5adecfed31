"""PyTorch models behind the engine. Nothing outside this folder imports torch."""

from mcviz.extras import require_torch

require_torch()  # before any module here imports it, for an error with advice
