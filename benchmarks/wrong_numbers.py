"""Which score finds planted wrong labels of numbers: a Markdown table, and the recall of cleanlab's default beside it.

    pip install cleanlab
    python benchmarks/wrong_numbers.py [--seeds 20] [--share 0.05] [--stds 3]

The four public data sets were named before anything was measured; they ship with scikit-learn and plotly. The passes
are the trees of a random forest that never saw the example, of five folds. A wrong label is a right one moved by so
many standard deviations of all labels, up or down. Recall is the share of the k planted errors within the first 2k
labels. The exit code is 1 if the score that mcviz ranks by is more than two points below cleanlab's default.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import plotly
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

sys.path.insert(0, str(Path(__file__).parents[1]))

from mcviz.measures.registry import REGRESSION_SCORES, RegressionPredictions
from mcviz.measures.regression import predictive_std
from mcviz.tasks import TASKS

Array = np.ndarray
FOLDS, TREES = 5, 40
MOST_BELOW = 0.02  # of cleanlab's recall
LEAST_SCALE = 0.01  # of the mean std, as for conformal intervals


def diabetes() -> tuple[Array, Array]:
    """Progression of diabetes a year on, of 442 patients."""
    values, labels = load_diabetes(return_X_y=True)
    return values, labels


def wine() -> tuple[Array, Array]:
    """Alcohol of 178 wines, by their other properties."""
    values, _ = load_wine(return_X_y=True)
    return values[:, 1:], values[:, 0]


def gapminder() -> tuple[Array, Array]:
    """Life expectancy in 142 countries and 12 years, by year, continent, population and income."""
    rows = _packed("gapminder")
    values = pd.get_dummies(rows[["continent", "year", "pop", "gdpPercap"]]).to_numpy(float)
    return values, rows["lifeExp"].to_numpy(float)


def tips() -> tuple[Array, Array]:
    """Bill of 244 tables of a restaurant, by tip, size of the party and the rest."""
    rows = _packed("tips")
    return pd.get_dummies(rows.drop(columns="total_bill")).to_numpy(float), rows["total_bill"].to_numpy(float)


DATA_SETS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "diabetes": diabetes,
    "wine": wine,
    "gapminder": gapminder,
    "tips": tips,
}
SCORES: dict[str, Callable[[RegressionPredictions], Array]] = {
    **{name: REGRESSION_SCORES[name].compute for name in ("absolute_error", "nll", "crps")},
    "absolute error / std": lambda given: _by_std(given),
    "cleanlab's default": lambda given: _cleanlab(given),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are moved")
    parser.add_argument("--stds", type=float, default=3.0, help="by which they are moved")
    options = parser.parse_args()
    print(f"| recall within 2k, {options.seeds} seeds | {' | '.join(SCORES)} |\n|---{'|---' * len(SCORES)}|")
    means = []
    for name, load in DATA_SETS.items():
        recalls = [judge(*load(), options.share, options.stds, seed) for seed in range(options.seeds)]
        means.append(np.mean(recalls, axis=0))
        print(f"| {name} | {' | '.join(f'{recall:.1%}' for recall in means[-1])} |", flush=True)
    together = dict(zip(SCORES, np.mean(means, axis=0), strict=True))
    print(f"| mean | {' | '.join(f'{recall:.1%}' for recall in together.values())} |")
    ours = together[TASKS["regression"].label_score]
    sys.exit(int(ours < together["cleanlab's default"] - MOST_BELOW))


def judge(values: Array, labels: Array, share: float, stds: float, seed: int) -> list[float]:
    """Return the recall of each score, of one draw of wrong labels."""
    random = np.random.default_rng(seed)
    wrong = random.choice(len(labels), round(share * len(labels)), replace=False)
    given = labels.copy()
    given[wrong] += random.choice([-1, 1], len(wrong)) * stds * labels.std()
    passes = np.empty((TREES, len(labels)))
    for others, held_out in KFold(FOLDS, shuffle=True, random_state=seed).split(values):
        forest = RandomForestRegressor(TREES, random_state=seed).fit(values[others], given[others])
        passes[:, held_out] = [tree.predict(values[held_out]) for tree in forest.estimators_]
    predictions = RegressionPredictions(passes[..., None], labels=given[:, None])
    first = (np.argsort(-score(predictions), kind="stable")[: 2 * len(wrong)] for score in SCORES.values())
    return [float(np.isin(wrong, chosen).mean()) for chosen in first]


def _packed(name: str) -> pd.DataFrame:
    return pd.read_csv(Path(plotly.__file__).parent / "package_data" / "datasets" / f"{name}.csv.gz")


def _by_std(given: RegressionPredictions) -> Array:
    std = predictive_std(given.outputs)
    return SCORES["absolute_error"](given) / (std + LEAST_SCALE * std.mean())


def _cleanlab(given: RegressionPredictions) -> Array:
    quality = import_module("cleanlab.regression.rank").get_label_quality_scores
    assert given.labels is not None
    return -np.asarray(quality(given.labels[:, 0], given.outputs.mean(axis=0)[:, 0]))


if __name__ == "__main__":
    main()
