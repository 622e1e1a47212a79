"""`compare-features` and `sensitivity` from the command line, on as little as shows that they work."""

import json

import pytest

from pulsaurora.classification import sensitivity
from pulsaurora.cli import log, main
from pulsaurora.simulation.night import simulate_minutes, write_stream0
from pulsaurora.views.sensitivity import HEADING


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAURORA_LOGS", str(tmp_path / "logs"))
    yield
    log.stop()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("stream0")
    write_stream0(root, simulate_minutes(1, "2014-03-02T06:00", 2, "gill", [("overcast", 2)]))
    return root


def test_sensitivity_goes_into_the_card_with_its_picture(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(sensitivity, "usual_settings", lambda: [(0.0, 0.2, 10.0), (0.5, 0.2, 10.0)])
    card, picture = tmp_path / "models" / "card.md", tmp_path / "docs" / "picture.png"
    card.parent.mkdir()
    card.write_text("# Card\n")
    arguments = ["sensitivity", "--stream0", tree, "--scenes", "clear_dark", "--n-minutes", 2, "--seeds", 1]
    arguments += ["--out", tmp_path / "out", "--card", card, "--picture", picture, "--workers", 1]
    assert main.run(map(str, arguments)) == 0
    text = card.read_text()
    assert text.startswith("# Card\n") and HEADING in text and "(../docs/picture.png)" in text
    assert "gill" in text and "clear_dark (simulated" in text and picture.stat().st_size > 1000
    assert len(json.loads((tmp_path / "out" / "sensitivity.json").read_text())["rows"]) == 4


def test_features_are_compared_and_listed(tree, tmp_path, monkeypatch, capsys):
    # One picture is enough.
    monkeypatch.setattr("pulsaurora.views.carryover.draw_feature", lambda comparison, row: _blank())
    arguments = ["compare-features", "--stream0", tree, "--n-sites", 4, "--n-minutes", 1, "--workers", 2]
    assert main.run(map(str, [*arguments, "--out", tmp_path])) == 0
    assert "together: " in capsys.readouterr().out
    told = json.loads((tmp_path / "features.json").read_text())
    assert told["n_real"] in (39, 40) and told["reference"] == "all"


def _blank():
    from matplotlib.figure import Figure

    return Figure(figsize=(1, 1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sensitivity", "--scenes", "clear_drak"], "no scene is called clear_drak; there are: "),
        (["sensitivity", "--scenes", ""], "nothing to inject"),
        (["compare-features", "--stream0", "not/there"], "is not a folder"),
        (["compare-features", "--label", "cloud", "--stream0", "."], "'cloud' is no class"),
    ],
)
def test_wrong_usage_is_told_before_any_work(arguments, said, capsys):
    assert main.run(arguments) == main.WRONG_USAGE
    assert said in capsys.readouterr().err
