"""Ratios of our time to a peer's, their table, and the figures kept from an earlier run.

A ratio tells more than a time: both sides meet the same machine and the same load, because they are timed
turn about in one run. What is kept in results.json is the ratios, with the machine and the versions.
"""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import re
import resource
import time
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results.json"
README = HERE / "README.md"
WORSE = 1.2  # by this factor and more a figure is shown in red
PACKAGES = (
    "numpy", "deflate", "isal", "h5py", "onnxruntime", "scipy", "pyarrow", "pytest-benchmark",
    "themis-imager-readfile", "pyucalgarysrs", "opencv-python-headless",
)  # fmt: skip

OURS_OVER_PEER, PEER_OVER_OURS, PLAIN = "ours / peer", "peer / ours", ""


@dataclass(slots=True)
class Row:
    """One figure of a run.

    Attributes
    ----------
    work : str
    peer : str
        Beside what; empty where a figure stands alone.
    value : float
        The ratio, or the figure itself.
    way : str
        Which is divided by which, or the figure's unit.
    ours, theirs : float or None
        What was divided, in `unit`.
    unit : str
    aim, least : float or None
        What is wanted, and what is to be reached at least.
    larger : bool
        Whether a larger value is a better one.
    share : float or None
        Of a whole, for a figure that is a part of one.
    """

    work: str
    peer: str
    value: float
    way: str
    ours: float | None = None
    theirs: float | None = None
    unit: str = "ms a frame"
    aim: float | None = None
    least: float | None = None
    larger: bool = False
    share: float | None = None

    @property
    def name(self):
        return f"{self.work} | {self.peer} | {self.way}"

    def reaches(self, limit):
        return limit is None or (self.value >= limit if self.larger else self.value <= limit)

    def change(self, kept):
        """How much worse it is than a kept value: 1.2 is 20 per cent worse, below 1 is better."""
        return kept / self.value if self.larger else self.value / kept


def measured(function, *arguments):
    """Return what a call returns, and its wall and CPU seconds, those of its child processes with them."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    result = function(*arguments)
    return result, (time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Beside:
    """Times a call of ours and its peers', turn about, and notes each ratio as a row of the table."""

    def __init__(self, benchmark, rows):
        self._benchmark, self._rows = benchmark, rows

    def __call__(self, ours, peers, n_frames, rounds=5):
        """Time them.

        Parameters
        ----------
        ours : callable
        peers : dict of str to callable
        n_frames : int
            That one call works on.
        rounds : int
            After one that only warms up. The least of each counts.

        Returns
        -------
        dict of str to (float, float)
            Wall and CPU milliseconds a frame by name; ours is under "ours".
        """
        seconds = {name: [] for name in ("ours", *peers)}

        def peers_turn():
            for name, peer in peers.items():
                seconds[name].append(measured(peer)[1])

        def our_turn():
            result, took = measured(ours)
            seconds["ours"].append(took)
            return result

        benchmark = self._benchmark()
        benchmark.pedantic(our_turn, setup=peers_turn, rounds=rounds, warmup_rounds=1)
        # pytest-benchmark may run the target more often than told; the first of each is the warm-up.
        least = {
            name: tuple(1000 * min(times) / n_frames for times in zip(*all_of_it[1:], strict=True))
            for name, all_of_it in seconds.items()
        }
        benchmark.extra_info |= {f"{name}, ms a frame": wall for name, (wall, _) in least.items()}
        return least

    def note(self, work, peer, ours, theirs, larger=True, aim=None, least=None, unit="ms a frame"):
        """Note a ratio; with `larger` it is the peer over ours, else ours over the peer."""
        value = theirs / ours if larger else ours / theirs
        way = PEER_OVER_OURS if larger else OURS_OVER_PEER
        row = Row(work, peer, value, way, ours, theirs, unit, aim, least, larger)
        return self._keep(row)

    def figure(self, work, value, unit, aim=None, least=None, share=None):
        """Note a figure that stands alone; less is better."""
        return self._keep(Row(work, "", value, unit, aim=aim, least=least, share=share))

    def _keep(self, row):
        self._rows.append(row)
        return row


def require(row):
    """Fail where a row falls short of what is to be reached at least."""
    assert row.reaches(row.least), f"{row.work}: {row.value:.3g} {row.way}, at least {row.least:g} is wanted"


def this_machine():
    """What the figures were taken on."""
    return {
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),  # what others do slows more than one side alone
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _processor():
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found[1]
    return platform.processor()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_kept():
    """Return the kept run: `machine`, `frames` and `figures`, a value by name; empty where there is none."""
    if not KEPT.is_file():
        return {}
    return json.loads(KEPT.read_text())


def keep(rows, machine, frames, path=KEPT):
    """Write a run to be compared with; what only other runs measured stays. Return all rows."""
    kept = read_kept() if path == KEPT else {}
    figures = kept.get("figures", {}) if kept.get("frames") == frames else {}
    for row in rows:
        fields = asdict(row) | {name: _rounded(getattr(row, name)) for name in ("value", "ours", "theirs")}
        figures[row.name] = fields | {"date": machine["date"], "load before": machine["load before"]}
    text = json.dumps({"machine": machine, "frames": frames, "figures": figures}, indent=1)
    path.write_text(text + "\n")
    names = [field.name for field in fields_of(Row)]
    return [Row(**{name: one[name] for name in names}) for one in figures.values()]


def _rounded(number):
    return None if number is None else float(f"{number:.4g}")


def columns(row, kept):
    """The cells of a row of the table, as text, and whether it became worse than what was kept."""
    before = kept.get(row.name, {}).get("value")
    worse = bool(before) and row.change(before) >= WORSE
    times = "" if row.ours is None else f"{row.ours:.3g} / {row.theirs:.3g} {row.unit}"
    aim = "" if row.aim is None else f"{row.aim:g}"
    least = "" if row.least is None else f"{row.least:g}"
    if row.aim is None:
        reached = ""
    elif row.reaches(row.aim):
        reached = "yes"
    else:
        reached = "at least" if row.reaches(row.least) else "no"
    said = "" if not before else f"{before:.3g}" + (" WORSE" if worse else "")
    figure = f"{row.value:.3g} {row.way}".rstrip()
    if row.share is not None:
        figure += f" ({100 * row.share:.0f} %)"
    return [row.work, row.peer, times, figure, aim, least, reached, said], worse


HEADINGS = ("work", "beside", "ours / theirs", "figure", "aim", "at least", "reached", "kept")


def show(rows, machine, frames):
    """Print the table; what became worse is red."""
    from rich.console import Console
    from rich.table import Table

    kept = read_kept()
    same = kept.get("figures", {}) if kept.get("frames") == frames else {}
    table = Table(title=f"Speed beside peers, {frames} frames, {machine['cores']} cores", show_lines=False)
    for heading in HEADINGS:
        table.add_column(heading)
    for row in rows:
        cells, worse = columns(row, same)
        table.add_row(*cells, style="red" if worse else None)
    console = Console()
    Console(width=None if console.is_terminal else 170).print(table)
    when = kept.get("machine", {})
    if same:
        console.print(f"kept: {when.get('date')}, {when.get('processor')}, {when.get('cores')} cores")


def write_readme(rows, machine, frames, path=README):
    """Put the table, and what it was taken on, between the marks in the README."""
    lines = [
        f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, Python {machine['python']}, "
        f"{frames} frames, load before {machine['load before']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + ".",
        "",
        "| " + " | ".join(HEADINGS[:-1]) + " |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(columns(row, {})[0][:-1]) + " |" for row in rows]
    text = path.read_text()
    begin, end = "<!-- table -->\n", "<!-- end of table -->"
    head, rest = text.split(begin)
    path.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])
