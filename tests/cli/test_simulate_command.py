import csv

from pulsaurora.cli.main import run


def test_it_writes_files_and_their_truth_and_says_so(tmp_path, capsys):
    assert (
        run(["simulate", str(tmp_path), "--minutes", "2", "--nights", "2", "--seed", "4", "--site", "gill"])
        == 0
    )
    files = sorted(tmp_path.rglob("*.pgm.gz"))
    assert len(files) == 4
    assert all("_gill_themis" in path.name for path in files)
    truths = sorted((tmp_path / "truth").iterdir())
    rows = [row for path in truths for row in csv.DictReader(path.read_text().splitlines())]
    assert 76 <= len(rows) <= 80
    assert {row["label_str"] for row in rows} <= {"bad_viewing", "no_aurora", "other_aurora", "pulsating"}
    assert f"{len(rows)} frames in 4 files" in capsys.readouterr().out


def test_the_same_seed_writes_the_same_files(tmp_path):
    for name in "ab":
        assert run(["simulate", str(tmp_path / name), "--minutes", "1", "--seed", "9"]) == 0
    first, second = (sorted((tmp_path / name).rglob("*.*")) for name in "ab")
    assert [p.name for p in first] == [p.name for p in second]
    assert all(p.read_bytes() == q.read_bytes() for p, q in zip(first, second, strict=True) if p.is_file())


def test_a_night_that_has_other_minutes_is_not_left_with_half_a_truth(tmp_path, capsys):
    def simulate(minutes):
        return run(["simulate", str(tmp_path), "--minutes", str(minutes), "--seed", "9", "--site", "gill"])

    def known():
        return {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}

    assert simulate(1) == 0
    assert simulate(2) == 0  # each minute anew
    before = known()
    capsys.readouterr()
    assert simulate(1) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "gill_themis" in said and "holds 1 minutes besides those to be simulated" in said
    assert known() == before
    assert simulate(2) == 0 and known() == before
