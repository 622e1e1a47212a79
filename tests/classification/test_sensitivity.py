"""Sensitivity: injecting nothing changes nothing, more is found more often, tables come back as written."""

import numpy as np
import pandas as pd
import pytest

from pulsaurora.classes import CLASSES
from pulsaurora.classification import sensitivity
from pulsaurora.classification.model import load_model
from pulsaurora.classification.modelcard import put_in_card
from pulsaurora.classification.night import classify_frames
from pulsaurora.problems import UnreadableFileError, UsageError
from pulsaurora.simulation.injection import inject_pulsation
from pulsaurora.views import sensitivity as view


@pytest.fixture(scope="module")
def dark():
    return sensitivity.simulated_background("clear_dark", 0, 2)


@pytest.fixture(scope="module")
def measured(dark):
    settings = [(share, 0.3, 10.0) for share in (0.0, 0.05, 1.0)]
    return sensitivity.measure_sensitivity(dark, load_model(), settings)


@pytest.mark.parametrize("period_s", [None, 10.0])
def test_an_injection_of_nothing_leaves_frames_as_they_are(dark, period_s):
    images, visible = inject_pulsation(dark.images[:6], dark.times[:6], 0.0, period_s=period_s)
    np.testing.assert_array_equal(images, dark.images[:6])
    assert not visible.any()


def test_what_is_added_is_as_blurred_as_the_lens_makes_it(dark):
    flat = np.full((6, 256, 256), 30000, np.uint16)
    steps = []
    for blur in (0.0, 2.0):
        images, _ = inject_pulsation(
            flat, dark.times[:6], 2e4, 0.3, 10.0, lens=((128.0, 128.0), 124.0), blur_px=blur
        )
        steps.append(np.abs(np.diff(images[:, 100:156, 100:156].astype(float), axis=2)).max())
    assert steps[1] < 0.6 * steps[0]


def test_without_injection_labels_are_those_of_classify(measured, dark):
    labels = classify_frames(dark.images, dark.times)["label"]
    assert measured["without"].iloc[0] == labels.mode()[0]
    first = measured.iloc[0]
    assert first["called_steadied"] == 0 and first["visible_share"] == 0 and first["amplitude_sigma"] == 0


def test_bright_pulsation_is_found_more_than_faint(measured):
    assert measured["visible_share"].is_monotonic_increasing
    assert measured["probability"].iloc[2] > measured["probability"].iloc[0] + 0.3
    counts = measured["amplitude_share"] * measured["sky_counts"]
    np.testing.assert_allclose(measured["amplitude_counts"], counts)
    # By hand: the noise of the mean of 64 pixels.
    noise = np.sqrt((1.68 * measured["sky_counts"] + 380) / 64)
    np.testing.assert_allclose(measured["amplitude_sigma"], counts / noise)


def test_processes_give_what_one_call_gives(dark):
    settings = [(0.2, 0.3, 10.0)]
    table = sensitivity.run_sensitivity(None, [dark, ("clear_dark", 2)], settings, seeds=1, workers=2)
    alone = sensitivity.measure_sensitivity(dark, load_model(), settings)
    pd.testing.assert_frame_equal(table.iloc[:1], alone)
    pd.testing.assert_frame_equal(table.iloc[1:].reset_index(drop=True), alone)
    with pytest.raises(UsageError, match="nothing to inject"):
        sensitivity.run_sensitivity(None, [], settings)


def test_settings_vary_one_thing_at_a_time():
    settings = sensitivity.usual_settings((0.0, 0.1), (0.05, 0.2), (6.0, 10.0))
    assert settings == [
        (share, cover, period)
        for cover, period in ((0.05, 10.0), (0.2, 10.0), (0.2, 6.0), (0.2, None))
        for share in (0.0, 0.1)
    ]


def made_up():
    rows = []
    for kind, background in (("simulated", "clear_dark"), ("real", "2014-03-10 gill themis19")):
        for cover, period in ((0.2, 10.0), (0.2, np.nan), (0.5, 10.0)):
            for seed in (0, 1):
                for k, share in enumerate((0.0, 0.1, 0.2)):
                    rows.append(
                        {
                            "background": background,
                            "kind": kind,
                            "without": CLASSES[kind == "simulated"],
                            "seed": seed,
                            "sky_counts": 500.0,
                            "amplitude_share": share,
                            "amplitude_counts": 500 * share,
                            "amplitude_sigma": 100 * share,
                            "cover": cover,
                            "period_s": period,
                            "n_frames": 20,
                            "visible_share": 0.01 * k,
                            "probability": 0.2 * k + 0.1 * seed,
                            "called": 0.25 * k,
                            "probability_steadied": 0.3 * k,
                            "called_steadied": (0.0, 0.25, 0.75)[k],
                        }
                    )
    return pd.DataFrame(rows)


def test_the_table_comes_back_as_it_was_written(tmp_path):
    table = made_up()
    view.write_sensitivity_json(tmp_path / "s.json", table, {"model": "none"})
    again, about = view.read_sensitivity_json(tmp_path / "s.json")
    pd.testing.assert_frame_equal(again, table)
    assert about["model"] == "none"
    assert view.sensitivity_markdown(again, about) == view.sensitivity_markdown(table, about)
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="t.json: holds no sensitivity"):
        view.read_sensitivity_json(tmp_path / "t.json")


def test_the_section_says_what_was_found(tmp_path):
    section = view.sensitivity_markdown(made_up(), {"model": "`12345678`"}, "picture.png")
    real, dark = section.index("gill themis19 (real, 500 counts"), section.index("clear_dark (simulated, 500")
    assert real < dark and "without injection bad_viewing" in section[real:dark]
    # 0.1 is called a quarter of the time and 0.2 three quarters: half at their geometric mean.
    assert "| clear_dark (simulated) | 0.14 | 0.14 | 0.14 |" in section
    assert (
        "| 0.1 | 50 | 10.0 | *0.25 (0.25)* |" in section and "| 0.2 | 100 | 20.0 | 0.45 (0.75) |" in section
    )
    figure = view.draw_sensitivity(made_up())
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines[:1]] == [[0.25, 0.45]]


def test_a_card_gets_the_section_once_and_keeps_the_rest(tmp_path):
    card, sha = tmp_path / "card.md", "a" * 64
    card.write_text(f"# Card\n\n- sha256 `{sha}`\n\n## Scores\n\nfine\n")
    put_in_card(card, f"{view.HEADING}\n\nfirst\n\n### dark\n\nx\n", sha)
    once = card.read_text()
    assert once.startswith(f"# Card\n\n- sha256 `{sha}`\n\n## Scores\n\nfine\n\n{view.HEADING}")
    card.write_text(once + "\n## After\n\nlast\n")
    for _ in range(2):
        put_in_card(card, f"{view.HEADING}\n\nsecond\n", sha)
        assert card.read_text().count(view.HEADING) == 1
    text = card.read_text()
    assert "second\n\n## After\n\nlast\n" in text and "first" not in text and "## Scores\n\nfine" in text
    with pytest.raises(UsageError, match="is the card of model aaaaaaaa, the one measured is bbbbbbbb"):
        put_in_card(card, view.HEADING, "b" * 64)
    with pytest.raises(UsageError, match="cannot be read as a card"):
        put_in_card(tmp_path / "none.md", view.HEADING)


def test_real_frames_at_hand_are_called_pulsating_only_with_injection(shared_data):
    (night,), problems = sensitivity.real_backgrounds(shared_data / "stream0", 3)
    assert night.kind == "real" and not problems
    table = sensitivity.measure_sensitivity(night, load_model(), [(0.0, 0.2, 10.0), (0.8, 0.5, 10.0)])
    assert table["called_steadied"].iloc[0] == 0 and table["probability"].diff().iloc[1] > 0.3
