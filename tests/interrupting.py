"""Commands in processes of their own, as a shell in front of a person starts them, and Ctrl-C at any moment."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS_TO_END = 120

# Python runs a module of this name before anything else. It counts from the first library that mcviz imports: before it
# there are Python's own start and mcviz's first lines.
SITECUSTOMIZE = """
import os, signal, sys, threading, time

kind, value = os.environ["INTERRUPTED_AT"].split()

def press():
    time.sleep(float(value))
    os.kill(os.getpid(), signal.SIGINT)

class Counter:
    imports = 0

    def find_spec(self, name, path=None, target=None):
        if name == "lazy_loader" or self.imports:
            self.imports += 1
            if kind == "import" and self.imports == int(value):
                signal.raise_signal(signal.SIGINT)
            if kind == "seconds" and self.imports == 1:
                threading.Thread(target=press, daemon=True).start()

sys.meta_path.insert(0, Counter())

if kind == "step":
    import asyncio

    begin, steps = asyncio.run_coroutine_threadsafe, 0

    def begin_step(coroutine, loop):
        global steps
        steps += 1
        if steps == int(value):
            signal.raise_signal(signal.SIGINT)
        return begin(coroutine, loop)

    asyncio.run_coroutine_threadsafe = begin_step
"""


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "mcviz", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # CI may start us with it ignored
    )


def interrupted(moment: str, *arguments: object) -> str:
    """Stop a command by Ctrl-C, and say what is wrong with how it ended.

    Args:
        moment: `import 7`, within the seventh import of mcviz; `seconds 0.7`, so long after the first; or `step 3`,
            before Zarr's third step in its thread begins.
        arguments: of the command, which goes on for longer.

    Returns:
        Nothing if it ended with code 130 and one line, besides those of its progress and its warnings.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(SITECUSTOMIZE)
        path = os.pathsep.join([folder, str(ROOT)])
        process = start(*arguments, INTERRUPTED_AT=moment, PYTHONPATH=path)
        _, err = process.communicate(timeout=SECONDS_TO_END)
    lines = [line for line in err.splitlines() if not line.startswith(("[", "mcviz: warning: "))]
    if process.returncode == 130 and len(lines) == 1 and lines[0].startswith("mcviz: stopped"):
        return ""
    return f"code {process.returncode}: {err}"
