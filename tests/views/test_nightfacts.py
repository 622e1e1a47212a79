"""A night in numbers and in one sentence."""

import numpy as np
import pytest

from pulsaurora.views.nightfacts import duration_text, facts_of, percent, sky_sentences, verdict

START = np.datetime64("2014-03-10T06:00:00", "us")


def night(labels, gaps=()):
    """Frames 3 s apart; before those of `gaps` (number, seconds) there are more."""
    steps = np.full(len(labels), 3.0)
    for at, seconds in gaps:
        steps[at] = seconds
    times = START + (np.cumsum(steps) * 1e6).astype("timedelta64[us]") - np.timedelta64(3, "s")
    return times, np.asarray(labels)


def facts(labels, gaps=(), confidence=None, period_s=None):
    times, labels = night(labels, gaps)
    confidence = np.full(len(labels), 0.8) if confidence is None else confidence
    return facts_of(times, labels, confidence, period_s)


def test_totals_by_hand():
    found = facts([0] * 100 + [3] * 300, confidence=np.r_[np.full(100, 0.5), np.full(300, 0.9)])
    assert found.cadence_s == 3.0 and found.n_frames == 400 and str(found.end)[11:19] == "06:19:57"
    totals = found.classes["pulsating"]
    assert (totals.n_frames, totals.hours, totals.share) == (300, 0.25, 0.75)
    assert totals.confidence == pytest.approx(0.9)
    assert found.classes["no_aurora"].n_frames == 0 and np.isnan(found.classes["no_aurora"].confidence)


def test_an_interval_begins_and_ends_with_a_pulsating_frame():
    period = np.r_[np.full(100, 20.0), np.full(100, 9.0), np.full(100, 20.0)]
    (interval,) = facts([1] * 100 + [3] * 100 + [1] * 100, period_s=period).intervals
    assert interval.start == START + np.timedelta64(300, "s")
    assert interval.end == START + np.timedelta64(597, "s")
    assert (interval.n_frames, interval.share, interval.period_s) == (100, 1.0, 9.0)


def test_labels_that_flicker_make_one_interval_and_stray_ones_none():
    flicker = [3, 3, 1] * 100
    (interval,) = facts([1] * 200 + flicker + [1] * 200).intervals
    # The thinner the labels, the more of the window must lie inside before half of it is pulsating.
    assert interval.seconds == pytest.approx(300 * 3, abs=45) and interval.share == pytest.approx(
        2 / 3, abs=0.02
    )
    stray = facts([1, 1, 1, 1, 3] * 100)
    assert stray.intervals == [] and stray.n_short == 0 and stray.classes["pulsating"].n_frames == 100


def test_short_intervals_are_counted():
    found = facts([1] * 100 + [3] * 15 + [1] * 100)
    assert found.intervals == [] and found.n_short == 1


def test_a_gap_ends_an_interval_and_is_told():
    found = facts([3] * 200, gaps=[(100, 300.0), (150, 6.0)])
    assert [interval.n_frames for interval in found.intervals] == [100, 100]
    at, seconds = found.longest_gap
    assert (found.n_gaps, found.gap_s, seconds) == (2, 306.0, 300.0)
    assert at == START + np.timedelta64(297, "s")


@pytest.mark.parametrize(
    ("labels", "word", "said"),
    [
        (
            [3] * 300 + [1] * 100,
            "worth a look",
            "15 min of pulsating aurora (75 % of 20 min of frames), in one",
        ),
        ([1] * 300 + [3] * 60 + [0] * 40, "a little", "Only 3 min of pulsating aurora (15 % of 20 min"),
        ([1, 1, 1, 1, 3] * 20, "a little", "scattered in less than a minute at a time"),
        (
            [0] * 90 + [2] * 10,
            "nothing pulsating",
            "No pulsating aurora in 5 min of frames; other aurora in 10 %",
        ),
        ([], "no frames", "nothing to see"),
    ],
)
def test_the_sentence_says_what_the_night_is_worth(labels, word, said):
    found, sentence = verdict(facts(labels))
    assert found == word and said in sentence.replace("\N{NO-BREAK SPACE}", " ")


def test_labels_that_are_not_sure_are_said_to_be_so():
    labels = [3] * 400
    assert "mean confidence only 0.41" in verdict(facts(labels, confidence=np.full(400, 0.41)))[1]
    assert "mean confidence 0.80" in verdict(facts(labels))[1]


def test_one_frame_and_none():
    assert facts([3]).n_frames == 1 and facts([3]).intervals == []
    assert facts([]).start is None


def test_sun_and_moon_of_a_dark_night_and_of_a_polar_day():
    (_, sun), (_, moon) = sky_sentences(START, START + np.timedelta64(2, "h"), (56.38, -94.64))
    assert "below −12° throughout" in sun and "66 % lit" in moon.replace("\N{NO-BREAK SPACE}", " ")
    june = np.datetime64("2014-06-20T12:00:00", "us")
    (_, sun), _ = sky_sentences(june, june + np.timedelta64(2, "h"), (69.5, -93.6))
    assert "never below −12°" in sun


def test_words_for_numbers():
    assert [duration_text(s) for s in (42, 59.6, 1020, 7500)] == ["42 s", "1 min", "17 min", "2 h 05 min"]
    assert [percent(s).replace("\N{NO-BREAK SPACE}", " ") for s in (0, 0.001, 0.28)] == [
        "0 %",
        "<1 %",
        "28 %",
    ]
