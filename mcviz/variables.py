"""The environment variables of mcviz; all begin with `MCVIZ_`."""

import os
from difflib import get_close_matches

from mcviz.errors import InvalidInputError

PREFIX = "MCVIZ_"
VARIABLES = (
    "MCVIZ_CACHE", "MCVIZ_DATA", "MCVIZ_DEVICE", "MCVIZ_IMPORT", "MCVIZ_MODELS", "MCVIZ_READ_ONLY", "MCVIZ_WRITERS",
)  # fmt: skip
OF_TESTS = "MCVIZ_REQUIRE_BROWSER", "MCVIZ_REQUIRE_TORCH", "MCVIZ_REQUIRE_TRITON"


def check_variables() -> None:
    """Check that every `MCVIZ_` variable is known: mistyped writers would let everybody write.

    Raises:
        InvalidInputError: one is not.
    """
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in (*VARIABLES, *OF_TESTS):
            (nearest,) = get_close_matches(name, VARIABLES, 1, 0)
            raise InvalidInputError(
                f"An environment variable that begins with {PREFIX} should be one of {', '.join(VARIABLES)}. "
                f"Received: {name}. Did you mean {nearest}? Rename or unset it."
            )
