"""Regression, as pages show it."""

from mcviz.app.tasks.regression import comparing, example, exporting, listing, overview, probing, story, sweeping
from mcviz.app.tasks.task import Quality, Task

REGRESSION = Task(
    first_score="predictive_std",  # which every run has: what the passes add, whether variances are predicted or not
    ood_score="predictive_std",
    fits_detector=False,
    cards=overview.cards,
    charts=overview.charts,
    marks_mistakes=False,
    tile=listing.tile,
    narrowing=listing.narrowing,
    typed=listing.typed,
    narrowed=listing.narrowed,
    columns=listing.columns,
    quality=Quality("absolute_error", "mean absolute error", is_share=False, low_is_bad=False),
    told=example.told,
    drawn=example.drawn,
    looked=example.looked,
    closer_looks=example.CLOSER_LOOKS,
    pinned=example.pinned,
    steps=story.steps,
    probed=probing.probed,
    along=probing.along,
    table=probing.table,
    in_words=probing.in_words,
    scores=probing.scores_of_inputs,
    evidence=probing.evidence,
    sweep_shows="what is predicted, how far the passes differ",
    standing_out=sweeping.standing_out,
    swept=sweeping.swept,
    swept_in_words=sweeping.swept_in_words,
    accuracies=exporting.errors,
    summaries=exporting.summaries,
    named=exporting.named,
    compared=comparing.charts,
    example_in_both=comparing.example,
)
