"""What rates of dropout are worth is read back as it was kept, and what others wrote is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from mcviz.errors import CorruptRunError
from mcviz.measures.quality import QUALITY
from mcviz.measures.rates import choose_rate
from mcviz.runs import Layer
from mcviz.runs.files import folder_at
from mcviz.runs.rates import FILE, KeptRates, folders_of_rates, read_rates


def some_rates(task: str = "classification", model_sha256: str = "ab", unit: str = "") -> KeptRates:
    """Figures of made-up terms of 40 examples, four of them mistakes: some draws have none, and so no AUROC."""
    names = {"classification": ("confidence", "nll", "brier", "uncertainty")}.get(
        task, ("squared_error", "absolute_error", "nll", "crps", "held", "width")
    )

    def terms(seed: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(seed)
        found = {name: random.random(40) for name in names}
        return found | ({"correct": np.arange(40) % 10 != 3} if task == "classification" else {})

    found = choose_rate(task, {rate: terms(at) for at, rate in enumerate((0.1, 0.3, 0.6))}, terms(9), resamples=50)
    layers = (Layer("dropout", "Dropout", 0.25), Layer("dropout_1", "Dropout", 0.5))
    return KeptRates(found, model_sha256, layers, {"model": "in/model.keras", "passes": "30"}, unit)


@pytest.mark.parametrize("task", QUALITY)
def test_what_was_kept_is_read_back(task: str, tmp_path: Path) -> None:
    kept = some_rates(task, unit="kg")
    folder = folder_at(tmp_path / "rates")
    kept.write(folder)
    again = read_rates(folder)
    assert repr(again) == repr(kept)  # NaN, which is no interval, is not equal to itself
    assert again.trained == [0.25, 0.5]
    assert again.found.rows("kg") == kept.found.rows("kg")
    assert folders_of_rates(tmp_path) == ["rates"]
    assert folders_of_rates(tmp_path / "nothing") == []


def test_few_mistakes_have_no_interval(tmp_path: Path) -> None:
    row = some_rates().found.rows()[1]
    assert "no interval" in row["AUROC of finding mistakes"]
    assert "nan" not in json.dumps(some_rates().found.rows()).lower()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("task"),
        lambda content: content.update(task="astrology"),
        lambda content: content.update(chosen=0.2),
        lambda content: content.update(rates=[]),
        lambda content: content.update(rates=3),
        lambda content: content["as_trained"].pop("nll"),
        lambda content: content["rates"][0]["judging"].update(ece="high"),
        lambda content: content.update(sampled=["model"]),
        lambda content: content.update(layers=[{"name": "dropout"}]),
    ],
)
def test_what_others_wrote_is_refused_in_one_line(change, tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    some_rates().write(folder)
    content = json.loads((tmp_path / FILE).read_bytes())
    change(content)
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(CorruptRunError, match=r"rates\.json is damaged, .*`mcviz rates` once more") as refused:
        read_rates(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(CorruptRunError):
        read_rates(folder_at(tmp_path))
