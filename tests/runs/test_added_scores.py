"""A score that was made elsewhere ranks a run's examples like any other, and never changes or hides the run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcviz
from mcviz.analysis.predictors import compute_convergence
from mcviz.analysis.referral import rank_by_all_scores, refer
from mcviz.cli import main
from mcviz.errors import CorruptRunError, InvalidInputError, NotPermittedError
from mcviz.measures.selective import selective_figures
from mcviz.runs import Run, as_xarray, export_run, open_run, remove_run, rename_run, verify_run
from mcviz.runs.derived import FILE, match_values
from mcviz.runs.storage import SHIPPED_RUNS
from tests.cases import only
from tests.runs.making import contents, make, numbers

N = 11
VALUES = np.random.default_rng(3).permutation(N).astype(np.float32) - 4.5
IDS = pd.Series([f"é {example}" for example in range(N)])


@pytest.fixture
def run(finished_run: Path) -> Run:
    return open_run(finished_run)


def the_file(run: Run) -> Path:
    return Path(run.path) / FILE


@given(st.permutations(range(N)), st.booleans())
def test_values_are_matched_by_the_ids_in_whichever_order(order: list[int], as_mapping: bool) -> None:
    shuffled = pd.Series(VALUES, IDS).iloc[order]
    np.testing.assert_array_equal(match_values(dict(shuffled) if as_mapping else shuffled, IDS), VALUES)
    by_number = pd.Series(VALUES).iloc[order]  # as a table of scores that was sorted
    np.testing.assert_array_equal(match_values(by_number, pd.Series(map(str, range(N)))), VALUES)


def test_whole_numbers_as_ids_are_taken_by_id_or_refused(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(N)
    ids, values = pd.Series(map(str, order)), np.arange(N) / 10  # the value of id 3 is 0.3
    wanted = (order / 10).astype(np.float32)
    np.testing.assert_array_equal(match_values(dict(enumerate(values)), ids), wanted)
    by_id = pd.Series(values).iloc[order[::-1]]
    np.testing.assert_array_equal(match_values(by_id, ids), wanted)
    with pytest.raises(InvalidInputError, match="ids in another order"):
        match_values(pd.Series(values), ids)
    np.testing.assert_array_equal(match_values(pd.Series(VALUES), IDS), VALUES)  # which counts, and names none of them
    with pytest.raises(InvalidInputError, match="masked"):
        match_values(np.ma.masked_array(VALUES, VALUES > 0), IDS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (VALUES[1:], r"one number for each of the 11 examples"),
        (VALUES[:, None], r"shape \(11, 1\)"),
        (pd.Series(VALUES, IDS).iloc[1:], "none for é 0"),
        (pd.Series([*VALUES, 1], [*IDS, "new"]), "one for an id that no example has, new"),
        (pd.Series([*VALUES, 1], [*IDS, "é 3"]), "two for é 3"),
        (pd.Series(VALUES).iloc[::-1], "an id that no example has"),
        ([*VALUES[:4], np.nan, *VALUES[5:]], "nan for é 4"),
        ([*VALUES[:4], 1e39, *VALUES[5:]], r"1e\+39 for é 4"),
        ([*VALUES[:4], 1e-300, *VALUES[5:]], "1e-300 for é 4.*logarithm"),
        ([*VALUES[:4], None, *VALUES[5:]], "numbers"),
        (["a"] * N, "numbers"),
        (np.ma.masked_equal(VALUES, VALUES[4]), "without masked values. Received: 1 of them"),
        (pd.Series(VALUES, pd.MultiIndex.from_product([IDS, ["a"]])), "an index of 2 levels"),
        (VALUES + 1j, "numbers"),
    ],
)
def test_what_is_not_one_finite_number_an_example_is_refused(values: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        match_values(values, IDS)


@pytest.mark.parametrize("form", only(["one target of rows"], ["classes of images", "one target of rows"]))
def test_a_run_keeps_its_digest_and_its_files(run: Run, tmp_path: Path) -> None:
    before, table, digest = contents(tmp_path / "run"), run.scores(), run.digest
    run.add_score("energy", VALUES, high_is_uncertain=False, meaning="Low: *uncertain*.")
    run.add_score("distance", VALUES**2)
    after = contents(tmp_path / "run")
    assert set(after) - set(before) == {FILE}
    assert before.items() <= after.items()
    again = open_run(run.path)
    assert (again.digest, verify_run(run.path).run.digest) == (digest, digest)
    for opened in (run, again):
        assert opened.score_names[-2:] == ("energy", "distance")
        pd.testing.assert_frame_equal(opened.scores()[list(table)], table)
        assert opened.scores()["energy"].tolist() == VALUES.tolist()
        assert opened.score_registry["energy"].uncertain_when == "low"
        assert opened.score_registry["distance"].uncertain_when == "high"
    written = pq.read_table(the_file(run)).to_pandas()
    assert written["id"].tolist() == table["id"].tolist()
    export_run(run, tmp_path / "table.parquet")
    exported = pd.read_parquet(tmp_path / "table.parquet")
    assert exported["distance"].tolist() == (VALUES**2).tolist() == as_xarray(run)["distance"].values.tolist()


def test_a_score_ranks_refers_and_is_among_those_that_find_the_mistakes(run: Run) -> None:
    wrong = ~run.scores()["correct"].to_numpy(bool)
    mistakes = int(wrong.sum())
    assert 0 < mistakes < N
    run.add_score("oracle", wrong)
    run.add_score("trap", wrong, high_is_uncertain=False)
    referrals = {name: refer(run, budget=mistakes, score=name) for name in ("oracle", "trap")}
    assert referrals["oracle"].examples.tolist() == np.flatnonzero(wrong).tolist()
    assert not wrong[referrals["trap"].examples].all()
    figures = selective_figures(rank_by_all_scores(run))
    assert min(figures, key=lambda name: figures[name].augrc.value) == "oracle"
    assert figures["oracle"].e_aurc.value == pytest.approx(0)
    with pytest.raises(InvalidInputError, match="max_probability"):  # which passes do not give
        compute_convergence(run, "oracle")


def test_two_runs_are_compared_by_a_score_that_both_have(run: Run, tmp_path: Path) -> None:
    other = make(tmp_path / "other", seed=9)
    run.add_score("energy", VALUES)
    with pytest.raises(InvalidInputError, match="score"):
        mcviz.compare(run, other, score="energy")
    other.add_score("energy", -VALUES, high_is_uncertain=False)
    assert mcviz.compare(run, other, score="energy").score == "energy"


def test_a_score_goes_with_the_run(run: Run, tmp_path: Path) -> None:
    run.add_score("energy", VALUES)
    grown = make(run.path, passes=9)
    assert grown.digest != run.digest
    assert grown.scores()["energy"].tolist() == VALUES.tolist()
    renamed = Path(rename_run(run.path, "renamed"))
    assert open_run(renamed).scores()["energy"].tolist() == VALUES.tolist()
    assert remove_run(renamed) == []
    assert not renamed.exists()


def test_a_replaced_score_is_seen_by_whoever_has_the_run_open(run: Run) -> None:
    other = open_run(run.path)
    assert run.scores_version == run.digest
    run.add_score("energy", VALUES)
    first = other.scores_version
    assert other.scores()["energy"].tolist() == VALUES.tolist()
    run.add_score("energy", -VALUES)
    assert len({run.digest, first, other.scores_version}) == 3
    assert other.scores()["energy"].tolist() == (-VALUES).tolist()


@pytest.mark.parametrize("name", ["label", "correct", "margin", "id", "weight", "deterministic", "other_x", "change_x"])
def test_no_score_takes_the_name_of_a_column(tmp_path: Path, name: str) -> None:
    rows = pd.DataFrame({"text": ["a", "b", "c"], "weight": [1, 2, 3]})
    run = mcviz.write_run(tmp_path / "run", np.random.default_rng(0).dirichlet(np.ones(3), (5, 3)), data=rows)
    with pytest.raises(InvalidInputError, match=f"name.*{name}"):
        run.add_score(name, [1, 2, 3])
    for unusable in ("Energy", "a b", "", "é", "a" * 41, "1a", None, "../a"):
        with pytest.raises(InvalidInputError, match="letter"):
            run.add_score(unusable, [1, 2, 3])
    assert not the_file(run).exists()


def test_a_shipped_run_takes_none() -> None:
    shipped = open_run(SHIPPED_RUNS[0])
    with pytest.raises(NotPermittedError, match="Copy its folder"):
        shipped.add_score("energy", np.zeros(len(shipped)))
    assert not the_file(shipped).exists()


def rewrite(change: Callable[[pa.Table, dict[str, Any]], pa.Table]) -> Callable[[Path], None]:
    """Changes the table of a file, or what its metadata say."""

    def rewritten(file: Path) -> None:
        table = pq.read_table(file)
        about = msgspec.json.decode(table.schema.metadata[b"mcviz"])
        changed = change(table, about)
        pq.write_table(changed.replace_schema_metadata({b"mcviz": msgspec.json.encode(about)}), file)

    return rewritten


def replace_values(values: list[Any], kind: str = "float32") -> Callable[[Path], None]:
    return rewrite(lambda table, _: table.set_column(2, "energy", pa.array(values, kind)))


def put(place: list[str], value: Any) -> Callable[[Path], None]:
    def change(table: pa.Table, about: dict[str, Any]) -> pa.Table:
        inner = about
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        return table

    return rewrite(change)


def link(file: Path) -> None:
    shutil.move(file, file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def rename_score(table: pa.Table, about: dict[str, Any]) -> pa.Table:
    about["scores"] = {"margin": about["scores"]["energy"]}
    return table.rename_columns(["example", "id", "margin"])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": lambda file: file.write_bytes(b""),
    "no Parquet": lambda file: file.write_bytes(b"energy\n1\n"),
    "cut short": lambda file: os.truncate(file, file.stat().st_size - 9),
    "too large": lambda file: os.truncate(file, 100_000_000),
    "a link": link,
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "another tool's": lambda file: pd.DataFrame({"energy": VALUES}).to_parquet(file),
    "of other examples": put(["examples"], "0" * 64),
    "an unknown field": put(["scores", "energy", "colour"], "red"),
    "an unknown end": put(["scores", "energy", "uncertain_when"], "both"),
    "a long meaning": put(["scores", "energy", "meaning"], "x" * 501),
    "a score of ours": rewrite(rename_score),
    "a score without values": put(["scores", "other_one"], {"uncertain_when": "low"}),
    "not finite": replace_values([np.inf, *VALUES[1:]]),
    "missing": replace_values([None, *VALUES[1:].tolist()]),
    "of another type": replace_values(VALUES.tolist(), "float64"),
    "too few rows": rewrite(lambda table, _: table.slice(1)),
    "in another order": rewrite(lambda table, _: table.take(list(range(N))[::-1])),
}


@pytest.mark.parametrize("damage", only(["cut short", "a link", "of other examples"], DAMAGES))
def test_a_damaged_file_is_named_and_hides_nothing_else(run: Run, damage: str) -> None:
    before = numbers(run)
    run.add_score("energy", VALUES)
    DAMAGES[damage](the_file(run))
    for opened in (run, open_run(run.path)):
        with pytest.warns(UserWarning, match=rf"{FILE} cannot be .*Remove that file, and add its scores again"):
            assert numbers(opened) == before
        assert "energy" not in opened.score_registry
        with pytest.raises(CorruptRunError, match=FILE):
            opened.add_score("distance", VALUES)
    with pytest.warns(UserWarning, match=FILE), pytest.raises(CorruptRunError, match=FILE):
        verify_run(run.path)
    shutil.rmtree(the_file(run)) if the_file(run).is_dir() else the_file(run).unlink()
    run.add_score("energy", VALUES)
    assert verify_run(run.path).run.scores()["energy"].tolist() == VALUES.tolist()


# The command


FILES = {
    "a table": ("energy.csv", "id,energy\n" + "".join(f"{example},{VALUES[example]}\n" for example in range(N)[::-1])),
    "one of several columns": ("e.tsv", "id\tx\tenergy\n" + "".join(f"{i}\tb\t{VALUES[i]}\n" for i in range(N))),
    "one of another name": ("e.jsonl", "".join(f'{{"id": "{i}", "e": {VALUES[i]}}}\n' for i in range(N))),
    "one value a line": ("energy.txt", "".join(f"{value}\n" for value in VALUES)),
    "one value a line below a head": ("energy.csv", "values\n" + "".join(f"{value}\n" for value in VALUES)),
}


@pytest.mark.parametrize("file", only(["a table", "one value a line"], FILES))
def test_the_command_reads_a_table_or_one_value_a_line(run: Run, tmp_path: Path, file: str, capsys) -> None:
    name, text = FILES[file]
    (tmp_path / name).write_text(text)
    given = ["--name", "energy", "--from", str(tmp_path / name), "--low-is-uncertain", "--meaning", "As is."]
    assert main(["score", run.path, *given]) == 0
    assert "11 examples" in capsys.readouterr().out
    assert run.scores()["energy"].tolist() == VALUES.tolist()
    assert run.score_registry["energy"].uncertain_when == "low"
    assert run.score_registry["energy"].meaning == "As is."


SHUFFLED = list(map(str, np.random.default_rng(1).permutation(N)))


@pytest.mark.parametrize("ids", [None, IDS.tolist(), SHUFFLED], ids=["none", "texts", "numbers"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_that_was_sorted_and_read_back_is_by_number_or_id(tmp_path: Path, ids: Any, ending: str) -> None:
    passes = np.random.default_rng(0).dirichlet(np.ones(3), (5, N))
    run = mcviz.write_run(tmp_path / "run", passes, ids=ids)
    file = tmp_path / f"sorted{ending}"
    numbered = pd.DataFrame({"energy": VALUES}, run.scores().index).sort_values("energy")  # the index is `example`
    named = numbered.set_axis(run.scores()["id"].iloc[numbered.index]).rename_axis("id")
    tables = [numbered, named] if ids == SHUFFLED else [numbered, named, numbered.rename_axis(None)]
    for number, table in enumerate(tables):
        table.to_csv(file) if ending == ".csv" else table.to_parquet(file)
        assert main(["score", run.path, "--name", f"energy_{number}", "--from", str(file)]) == 0
        assert run.scores()[f"energy_{number}"].tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("example,energy\n0,1\n0,2\n", "the number of each example once, 0 to 10"),
        ("id,energy\n0,1\n", "none for 1"),
        ("id,a,b\n0,1,2\n", "a column energy, or one column besides id. Received: a, b"),
        pytest.param("id\n0\n", "Received: none", marks=pytest.mark.slow),
        pytest.param("id,energy\n,1\n", "1 rows without id", marks=pytest.mark.slow),
        pytest.param("1\n2\n", "11 examples", marks=pytest.mark.slow),
    ],
)
def test_the_command_exits_with_2_and_says_what_to_do(
    run: Run, tmp_path: Path, text: str, message: str, capsys
) -> None:
    (tmp_path / "energy.csv").write_text(text)
    assert main(["score", run.path, "--name", "energy", "--from", str(tmp_path / "energy.csv")]) == 2
    assert message in capsys.readouterr().err
    assert not the_file(run).exists()


@pytest.mark.filterwarnings("default")
def test_a_command_warns_of_a_damaged_file_and_does_its_work(run: Run, tmp_path: Path, capsys) -> None:
    the_file(run).write_bytes(b"")
    assert main(["export", run.path, "--to", str(tmp_path / "scores.parquet")]) == 0
    assert f"warning: {the_file(run)} cannot be used" in capsys.readouterr().err
    assert (tmp_path / "scores.parquet").exists()
