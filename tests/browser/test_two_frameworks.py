"""Models of Keras and of PyTorch in one process, with the torch that an index gives, which brings Triton."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import mcviz
from tests.browser.conftest import FIRST_PREDICTION, settle
from tests.browsing import ROOT, check_log, serving, visited
from tests.requiring import require_triton

require_triton()
pytestmark = [pytest.mark.slow, pytest.mark.torch]

ORDERS = ("keras", "torch", "keras"), ("torch", "keras", "torch")
SAMPLE_BOTH = """
import sys
import numpy as np
import mcviz

def make_keras():
    from keras import Input, Sequential, layers
    return Sequential([Input((4,)), layers.Dense(8), layers.Dropout(0.5), layers.Dense(3, activation="softmax")])

def make_torch():
    from torch import nn
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3), nn.Softmax(-1))

for name in sys.argv[1:]:
    model = make_keras() if name == "keras" else make_torch()
    print(mcviz.sample(model, np.ones((2, 4), np.float32), passes=3).shape)
"""


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_process_samples_models_of_both(order: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", SAMPLE_BOTH, *order]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n")[:-1] == ["(3, 2, 3)"] * len(order)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_server_asks_models_of_both(browser: Browser, tmp_path: Path, order: tuple[str, ...]) -> None:
    cache, package = tmp_path / "cache", "tests.sampling.torch.package"
    shutil.copytree(ROOT / "tests" / "frozen" / "cache" / "classification", cache / "keras")
    pictures = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    network = mcviz.load_torch(f"{package}:picture_model", transform=f"{package}:picture_transform")
    mcviz.sample_run(network, (pictures, np.arange(9) % 3), cache / "torch", passes=3, class_names=["a", "b", "c"])
    with (
        serving(tmp_path, MCVIZ_CACHE=str(cache), MCVIZ_IMPORT=package) as (url, log),
        visited(browser, url) as page,
    ):
        for name in order:
            page.goto(f"/probe?{urlencode({'run': name, 'input': 'noise', 'seed': '1'})}")
            predicted = page.get_by_text(re.compile("The ensemble predicts .+ with")).first
            expect(predicted).to_be_visible(timeout=FIRST_PREDICTION)
            settle(page)
    check_log(log)
