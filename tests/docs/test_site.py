"""The pages that the site's script writes hold what they are written from."""

import click
import pytest
from markdown_it import MarkdownIt

from mcviz.cli import commands
from mcviz.tasks import TASKS
from tests.docs.site import TITLES, as_text, describe_command, named_commands, notebook_page, scores_page


@pytest.mark.parametrize(("name", "command"), list(named_commands()))
def test_the_page_of_a_command_has_its_options_and_their_help(name: str, command: click.Command) -> None:
    page = describe_command(name, command)
    for option in command.params:
        if isinstance(option, click.Option):
            assert all(f"{each}" in page for each in option.opts)
            assert as_text(" ".join((option.help or "").split())) in " ".join(page.split())


def test_every_command_has_a_page() -> None:
    assert {name.split()[0] for name, _ in named_commands()} == set(commands.commands)


def test_the_page_of_scores_has_each_with_its_definition_and_its_uncertain_end() -> None:
    page = scores_page()
    assert {*TITLES} == {*TASKS}
    for score in [score for task in TASKS.values() for score in task.scores.values()]:
        _, _, after = page.partition(f"**{score.label}** (")
        assert f"uncertain if {score.uncertain_when})" in after.partition("\n")[0]
        assert as_text(score.meaning) in page
        assert as_text(score.function.__doc__.partition("\n")[0]) in page


def test_words_that_look_like_markup_are_shown_as_they_are() -> None:
    words = r"a_b *c* <d> [e](f) `g` \h | i"
    shown = MarkdownIt().render(as_text(words))
    assert shown == "<p>a_b *c* &lt;d&gt; [e](f) `g` \\h | i</p>\n"


def test_a_notebook_becomes_a_page_with_its_outputs() -> None:
    table = {"text/html": '<style>b</style><table border="1" class="dataframe"></table>'}
    chart = {"image/png": "aa==", "text/plain": ["a chart"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["1 +", " 1"], "outputs": [{"data": table}]},
        {"cell_type": "code", "source": ["f()"], "outputs": [{"data": chart}]},
    ]
    page = notebook_page({"cells": cells})
    assert page.startswith("# Title\n\n```python\n1 + 1\n```\n\n<table></table>\n")
    assert '<img alt="a chart" src="data:image/png;base64,aa==">' in page
