"""Whether what is repeated in every pass is compiled by XLA, which follows from its operations and from nothing else.

`python benchmarks/sampling.py --parts compiling` has the networks that the rule is from: XLA makes one loop of many
small operations, but its convolutions are slower than TensorFlow's, those of single channels several times.
"""

from functools import cache
from typing import Any

import tensorflow as tf

from mcviz.errors import MissingPackageError
from mcviz.model.model_files import reason
from mcviz.model.tracing import Trace, nodes_inside_loops

XLA, NO_COMPILER = "xla", "none"
COMPILERS = XLA, NO_COMPILER
CONVOLUTIONS = "Conv", "DepthwiseConv"  # what the names of the operations begin with


def default_compiler(trace: Trace) -> str:
    """Of what is repeated in a model without a masked dense layer: XLA on a CPU, unless there is a convolution."""
    if _convolves(trace) or tf.config.list_physical_devices("GPU") or why_no_xla():
        return NO_COMPILER
    return XLA


def _convolves(trace: Trace) -> bool:
    """Whether a convolution is repeated; one within a loop is taken to be."""
    graph = trace.function.graph
    repeated = [op.type for op in graph.get_operations() if any(out.ref() in trace.random for out in op.outputs)]
    inside_loops = (node.op for node in nodes_inside_loops(graph.as_graph_def()))
    return any(kind.startswith(CONVOLUTIONS) for kind in [*repeated, *inside_loops])


@cache
def why_no_xla() -> str:
    """Why this TensorFlow cannot compile, or ""."""
    try:
        tf.function(lambda: tf.zeros(1) + 1, jit_compile=True)()
    except (tf.errors.OpError, ValueError, NotImplementedError) as error:
        return reason(error)
    return ""


def has_compiler(name: str | None) -> bool:
    """Whether this machine has a compiler."""
    return name in COMPILERS and not (name == XLA and why_no_xla())


def check_compiler(name: Any) -> None:
    """Check that this machine has the compiler that a run names.

    Raises:
        MissingPackageError: it has not.
    """
    if name not in (None, *COMPILERS):
        raise MissingPackageError(
            f"The passes were compiled in a way that this mcviz does not have. Received: {name!r:.60}. "
            "Use the version of mcviz that wrote the run."
        )
    if name == XLA and (why_not := why_no_xla()):
        raise MissingPackageError(
            f"The passes were compiled by XLA, which this TensorFlow does not have: {why_not}. "
            "Use a TensorFlow with XLA, as `pip install tensorflow` gives it on Linux."
        )
