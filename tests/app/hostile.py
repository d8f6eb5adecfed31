"""Runs that are named to do harm: what each name would do if a page took it for more than text.

`hostile_cache` makes them, for tests of pages and for attacks.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import mcviz
from mcviz.data import DataSet
from mcviz.runs import Layer, Origin
from tests.runs.making import make

CANARY = "canary.invalid"  # a host that nobody should be asked for
# What was typed, and what a page shows of it.
HOSTILE = {
    f"![x](http://{CANARY}/p.png)": f"![x](http://{CANARY}/p.png)",
    f"[press](http://{CANARY}/)": f"[press](http://{CANARY}/)",
    f"http://{CANARY}/a www.{CANARY} me@{CANARY}": f"http://{CANARY}/a www.{CANARY} me@{CANARY}",
    f"<img src=http://{CANARY}/i.png>": f"<img src=http://{CANARY}/i.png>",
    f"<script>fetch('http://{CANARY}/s')</script>": f"<script>fetch('http://{CANARY}/s')</script>",
    f'<a href="http://{CANARY}/">b</a><b>bold</b>': f'<a href="http://{CANARY}/">b</a><b>bold</b>',
    r"$\frac{1}{2}$ and $$x$$": r"$\frac{1}{2}$ and $$x$$",
    ":material/close: :material_close: :streamlit:": ":material/close: :material_close: :streamlit:",
    ":red[alarm] :smile: :small[x] :help[y]": ":red[alarm] :smile: :small[x] :help[y]",
    "`code` **b** __c__ ~~d~~ | e \\": "`code` **b** __c__ ~~d~~ | e \\",
    "<- -> <-> -- >= <= ~=": "<- -> <-> -- >= <= ~=",
    f"two\n\n# lines\n![y](http://{CANARY}/y.png)": f"two # lines ![y](http://{CANARY}/y.png)",
    "\x1b[31mred\x1b[0m\x07\x9b2J": r"\x1b[31mred\x1b[0m\x07\x9b2J",
    "right\u202etfel\u2066": r"right\u202etfel\u2066",
    "%{x} %{customdata} <extra>z</extra>": "%{x} %{customdata} <extra>z</extra>",
    "=1+1 &lt;b&gt; &#36; {y}": "=1+1 &lt;b&gt; &#36; {y}",
    "very " * 30 + "long": "very " * 30 + "long",
}
HONEST = ["T-shirt/top", "Ankle boot", "3", "C++", "a_b", "50% * 2", "naïve", "猫", "- dash", "1. first", "x: y", "Q&A"]
HOSTILE_RUN = ":red[run] <b>$x$ ![n](http:) \x1b[31m\u202e"  # a folder's name, as far as it may have these
SHOWN_RUN = r":red[run] <b>$x$ ![n](http:) \x1b[31m\u202e"
LIVE_RUN = "`live` :smile: *run*"
HONEST_RUN = "honest-run"
OWN_RUN = "own-columns"


def hostile_cache(folder: Path) -> None:
    """Make four runs in a folder.

    Two of hostile names, the one of them with a model; their honest twin; and one whose columns and ids are hostile.
    """
    import keras

    rng = np.random.default_rng(0)
    for run, names in ((HOSTILE_RUN, list(HOSTILE)), (HONEST_RUN, HONEST)):
        images = rng.integers(0, 256, (3 * len(names), 8, 8, 1), dtype=np.uint8)
        make(
            folder / run,
            pixels=images,
            classes=len(names),
            class_names=tuple(names),
            about=dict.fromkeys(names, names[0]),
            origin=Origin(
                "dropout",
                draw_scheme=1,
                product="matmul",
                stochastic_layers=tuple(Layer(name, name, 0.5) for name in names),
            ),
        )
    classes = len(HOSTILE)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    images = rng.integers(0, 256, (3 * classes, 8, 8, 1), dtype=np.uint8)
    labelled = DataSet(images, np.arange(3 * classes) % classes)
    mcviz.sample_run(model, labelled, folder / LIVE_RUN, passes=8, class_names=list(HOSTILE))
    names = list(HOSTILE)
    mcviz.write_run(
        folder / OWN_RUN,
        rng.dirichlet(np.ones(3), (4, 2 * classes)).astype(np.float32),
        data=rng.integers(0, 256, (2 * classes, 8, 8, 1), dtype=np.uint8),
        labels=np.arange(2 * classes) % 3,
        ids=[f"{name} {example}" for example, name in enumerate(names * 2)],
        columns=pd.DataFrame({name: np.roll(names * 2, shift) for shift, name in enumerate(names)}),
        source=names[0],
    )
