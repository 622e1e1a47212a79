"""What a batch has left in its output folder."""

import csv
import datetime

from pulsaurora.archive.tables import classification_path, parquet_path, read_classifications


def problems_of(out, root):
    """What problems.csv tells: path under the root -> sorted list of (reason, frames kept)."""
    told = {}
    with open(out / "problems.csv", newline="") as file:
        for row in csv.DictReader(file):
            path = row["path"].removeprefix(f"{root}/")
            told.setdefault(path, []).append((row["reason"], int(row["n_frames_kept"])))
    return told


def table_of(out, night):
    """The Parquet table of a night (date, site, imager); the text beside it has the same rows."""
    date, site, imager = night
    path = classification_path(out, site, imager, datetime.date.fromisoformat(date))
    text = read_classifications(path, [])
    table = read_classifications(parquet_path(path))
    assert (table["time"].astype("datetime64[s]") == text["time"]).all()
    return table
