"""Words for numbers."""

import pytest

from mcviz.text import format_duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "under a second"), (1.2, "1 s"), (99, "99 s"), (100, "2 min"), (3569, "59 min"), (3580, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)  # fmt: skip
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said
