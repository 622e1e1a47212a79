"""The report of a night: one page that tells whether the night is worth its reader's time.

The page is one HTML file that loads nothing: it opens offline, prints, and can be mailed. What it says comes
from the classification file and its Parquet table, the frames, and the tables of events, as far as they are
there; what is missing is said, with what would make it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.archive.eventtables import events_path, read_events
from pulsaurora.archive.files import whole_file
from pulsaurora.archive.tables import classification_path, parquet_path, read_problems
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.problems import ContractError, Problem, UnreadableFileError
from pulsaurora.views import reportparts
from pulsaurora.views.html import element, page, picture
from pulsaurora.views.keogram import (
    Keogram,
    elevation_of,
    is_simulated,
    origin_of,
    read_keogram,
    read_labels_of,
)
from pulsaurora.views.nightfacts import facts_of, verdict
from pulsaurora.views.nightfigure import draw_keogram, figure_bytes

_PULSE_COLUMNS = {"on_s", "period_s", "is_whole"}
_PATCH_COLUMNS = {"patch", "kind"}


@dataclass
class NightFiles:
    """Where everything that is known of one night lies.

    Attributes
    ----------
    site, imager : str
    date : datetime.date
    night : archive.layout.Night or None
        Its frames.
    labels : pathlib.Path
        Its classification file, whether it is there or not.
    """

    site: str
    imager: str
    date: object
    night: object
    labels: Path


@dataclass
class Findings:
    """What was read for a page.

    Attributes
    ----------
    files : NightFiles
    keogram : Keogram
        Without frames if there are none.
    elevation : ndarray or None
    table : DataFrame or None
        As `read_classifications` gives it.
    facts : Facts or None
    patches, pulses : DataFrame or None
    events : pathlib.Path or None
        Where those come from.
    others : list of str
        Other imagers of the site on that date.
    problems : list of Problem
        Everything that was wrong with the inputs, once.
    """

    files: NightFiles
    keogram: object
    elevation: object = None
    table: object = None
    facts: object = None
    patches: object = None
    pulses: object = None
    events: Path | None = None
    others: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    @property
    def about(self):
        """What the classification file says of itself."""
        return {} if self.table is None else self.table.attrs

    @property
    def position(self):
        """Of the site, degrees north and east; None if it is not known."""
        return site_position(self.files.site)


def find_night_files(site, date, nights, classifications):
    """List the nights of a site on a date, of which there are frames, labels, or both.

    Parameters
    ----------
    site : str
    date : datetime.date
    nights : list of archive.layout.Night
        Of that site and date.
    classifications : path-like
        Root of the tree of classification files.

    Returns
    -------
    list of NightFiles
        By imager. A site whose imager was changed on that date has several.
    """
    frames = {night.imager: night for night in nights}
    # The name of a file without an imager: what stands before it and after it.
    nameless = classification_path(classifications, site, "", date)
    folder, (before, after) = nameless.parent, nameless.name.rsplit("__", 1)
    labelled = {
        path.name[len(before) + 1 : -len(after) - 1]
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.startswith(f"{before}_") and path.name.endswith(f"_{after}")
    }
    return [
        NightFiles(site, imager, date, frames.get(imager), folder / f"{before}_{imager}_{after}")
        for imager in sorted(labelled | set(frames))
    ]


def write_report(files, out, stream0=None, events=(), others=(), workers=None, on_minutes=None):
    """Write the report of one night.

    Parameters
    ----------
    files : NightFiles
    out : path-like
        Folder; the page is `YYYYMMDD_SITE_IMAGER_report.html` there, replaced only when complete.
    stream0 : path-like, optional
        Where to look for a skymap, besides the night's own folders.
    events : iterable of path-like
        Roots of trees of tables of events; the first that has the night's is taken.
    others : iterable of str
        Other imagers of the site on that date, to be named.
    workers, on_minutes
        As of `read_keogram`.

    Returns
    -------
    path : pathlib.Path
    problems : list of Problem
        What could not be read now. What `classify` found is in the page alone.
    """
    found, problems = gather(files, stream0, events, others, workers, on_minutes)
    path = Path(out) / f"{files.date:%Y%m%d}_{files.site}_{files.imager}_report.html"
    content = draw_page(found)
    with whole_file(path) as passing:
        passing.write_text(content, encoding="utf-8", newline="\n")
    return path, problems


def gather(files, stream0=None, events=(), others=(), workers=None, on_minutes=None):
    """Read everything that the page of one night takes; parameters are those of `write_report`.

    Returns
    -------
    Findings
    problems : list of Problem
        What could not be read now.
    """
    problems = []
    found = Findings(files, _no_frames(files), others=list(others))
    if files.night is not None:
        try:
            found.keogram = read_keogram(files.night, workers, on_minutes)
            problems += found.keogram.problems
            found.elevation = elevation_of(files.night, stream0, problems)
        except UnreadableFileError as error:
            problems.append(_problem(files.night.dayfile, error))
    found.table = read_labels_of(files.labels, problems)
    if found.table is not None:
        columns = {name: found.table[name].to_numpy() for name in ("time", "confidence")}
        period = found.table["period_s"].to_numpy() if "period_s" in found.table else None
        labels = found.table["label"].cat.codes.to_numpy()
        found.facts = facts_of(columns["time"], labels, columns["confidence"], period)
    for root in events:
        path = events_path(root, files.site, files.imager, files.date)
        if path.is_file():
            _take_events(found, path, problems)
            break
    noted = read_problems(files.labels) if parquet_path(files.labels).is_file() else None
    found.problems = list(dict.fromkeys([*problems, *(noted or [])]))
    return found, problems


def _take_events(found, path, problems):
    """Read the tables of events of a night, or say why they are left aside."""
    try:
        patches, pulses = read_events(path)
        for table, needed in ((patches, _PATCH_COLUMNS), (pulses, _PULSE_COLUMNS)):
            if missing := needed - set(table.columns):
                raise ContractError(f"{path}: has no column {', '.join(sorted(missing))}")
    except (UnreadableFileError, ContractError) as error:
        problems.append(_problem(path, error))
    else:
        found.patches, found.pulses, found.events = patches, pulses, path


def draw_page(found):
    """Return the page of a night.

    Parameters
    ----------
    found : Findings

    Returns
    -------
    str
        HTML.
    """
    files = found.files
    name = f"{files.site} · {files.imager} · {files.date}"
    return page(
        f"{name} · pulsating aurora",
        reportparts.STYLE,
        element("header", element("h1", name), reportparts.subtitle(found), _summary(found)),
        _picture(found),
        element("div", reportparts.classes(found), reportparts.sky(found), class_="two"),
        reportparts.intervals(found),
        reportparts.times(found),
        reportparts.quality(found),
        reportparts.problems(found),
        reportparts.versions(found),
    )


def _summary(found):
    """One sentence, and how far to believe it."""
    files = found.files
    if found.facts is None:
        word = "not classified"
        sentence = (
            f"Nothing is known of this night's frames yet; pulsaurora classify {files.date} {files.date} "
            f"--sites {files.site} labels them."
        )
    else:
        word, sentence = verdict(found.facts)
    caution = None
    if is_simulated(found.about):
        caution = element("p", reportparts.SIMULATED, class_="caution")
    return element(
        "div",
        element(
            "p", element("strong", word, class_=f"word {word.split()[0]}"), " ", sentence, class_="verdict"
        ),
        caution,
        class_="summary",
    )


def _picture(found):
    """The keogram and what goes with it, against one axis of time."""
    missing = None
    if not len(found.keogram.times):
        why = (
            "has no frame that can be read"
            if found.files.night is not None
            else "is not in the archive given"
        )
        missing = element("p", f"No keogram: this night {why}.", class_="note")
    try:
        figure = draw_keogram(
            found.keogram, found.table, origin_of(found.table), found.elevation, found.position
        )
    except ContractError:  # neither frames nor rows
        return missing
    what = "Class of every frame"
    if len(found.keogram.times):
        what = "Keogram, north up, with the class of every frame"
    described = f"{what} of {found.files.site} on {found.files.date}, against UTC."
    return element(
        "figure", picture(figure_bytes(figure), described), element("figcaption", described), missing
    )


def _no_frames(files):
    brightness, times = np.empty((0, 0), np.float32), np.empty(0, "datetime64[us]")
    return Keogram(brightness, times, files.site, files.imager, files.date)


def _problem(path, error):
    return Problem(str(path), str(error).removeprefix(f"{path}: "))
