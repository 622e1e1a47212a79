"""The section of figures in the embedded model's card: made from what is measured, and of that model."""

import judge_embedded
import judge_nights
import judge_second_sky
import judge_sky
import judge_third_sky
import numpy as np
import pytest

from pulsaurora.classification.model import load_model

SECTION = judge_embedded.HEADING


@pytest.fixture
def quick(monkeypatch):
    """Two scenes in place of a sky, one night in place of many: rows whose class is theirs for sure."""
    sure = np.eye(4, dtype=np.float32)

    def clips(sky, model, n_clips, tell_position=True):
        frames, agreed = np.full(4, 3), np.ones(4, bool)
        still = next(scene for scene, label in sky.scenes.items() if label == 3)
        yield still, frames, sure[[3, 3, 3, 2]], agreed
        yield sky.confusers[0], np.full(4, sky.scenes[sky.confusers[0]]), sure[[3, 1, 1, 1]], agreed
        if sky.unsure:
            yield sky.unsure[0], np.full(4, -1), np.full((4, 4), 0.25), agreed

    monkeypatch.setattr(judge_sky, "judge", clips)
    night = [(np.arange(4), sure)]
    monkeypatch.setattr(judge_nights, "judge", lambda model, n: {"steadied": night})


def test_the_section_has_a_line_for_each_figure(quick, monkeypatch, tmp_path, capsys):
    card = tmp_path / "card.md"
    card.write_text(f"# Card\n\n- sha256 `{load_model(None).sha256}`\n")
    options = ["--sites", "3", "--seeds", "5", "--card", str(card), "--trained-in", "one second"]
    monkeypatch.setattr("sys.argv", ["judge_embedded.py", *options])
    judge_embedded.main()
    text = card.read_text()
    assert text.endswith(capsys.readouterr().out) and text.count(SECTION) == 1
    wanted = {
        "3 sites of seed 5 |": "macro F1",
        f"second sky, {judge_embedded.SECOND_CLIPS} clips": "P 0.750, R 0.750",
        "second sky, confusers": "25.0 of 100",
        "second sky, pictures": "mean top probability 0.25",
        f"third sky, {judge_embedded.THIRD_CLIPS} clips": "P 0.750, R 0.750",
        "40 simulated nights": "macro F1 1.000; pulsating P 1.000, R 1.000",
        "processor time": "us a row",
        "training from nothing": "one second",
    }
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    for what, figure in wanted.items():
        (line,) = [line for line in lines if line.startswith(f"| {what}")]
        assert figure in line
    if judge_embedded.STREAM0.is_dir():
        (line,) = [line for line in lines if line.startswith("| real overcast")]
        assert "of 120 `bad_viewing`" in line
    assert not any("third sky, pictures" in line for line in lines) and not judge_third_sky.SKY.unsure
    assert judge_second_sky.SKY.unsure


def test_the_card_of_the_embedded_model_has_these_figures(request):
    """Training writes the card anew without them; they are to be measured again then (`make judge`)."""
    card = (request.config.rootpath / "pulsaurora/models/features.md").read_text()
    assert SECTION in card and load_model(None).sha256 in card
