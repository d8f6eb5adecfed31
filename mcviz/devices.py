"""Names of devices, as far as they need no framework."""

import platform
import re
import sys
from pathlib import Path

AUTO, CPU = "auto", "cpu"  # as found out; the processor
DEVICE_VARIABLE = "MCVIZ_DEVICE"  # the device for a run's own model, such as that of the dashboard's probe
CUDA_NODES = "nvidia0", "dxg", "kfd"  # in /dev: of NVIDIA, of Windows in its subsystem for Linux, of AMD


def parse_device(text: str) -> str:
    """Return the normalised name of a device.

    Raises:
        ValueError: it cannot be one.
    """
    if not re.fullmatch(r"[a-z]{1,20}(:\d{1,3})?", text):
        raise ValueError(f"expected auto, cpu, cuda, cuda:N or mps, received {text!r:.60}.")
    return text


def find_devices() -> tuple[str, ...]:
    """Find devices beside the processor; frameworks may not see them."""
    if sys.platform == "darwin":
        return ("mps",) if platform.machine() == "arm64" else ()
    return ("cuda",) if any(Path("/dev", node).exists() for node in CUDA_NODES) else ()
