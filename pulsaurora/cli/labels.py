"""`pulsaurora labels`: one table from workbooks of human labels, whatever their layout."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    workbooks: Annotated[
        list[Path], typer.Argument(metavar="WORKBOOK...", help="Excel workbooks (.xlsx) of human labels.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.csv", help="The table to write.")],
):
    """Read human labels from workbooks of any known layout into one CSV table.

    Every row of every sheet is either in FILE.csv or in FILE_left_out.csv, with the reason; rows that were
    repaired are in both. Rows with a code that is not known are there without a label, and are counted.
    """
    from collections import Counter

    from pulsaurora.archive.labels import read_labels, refuse_empty, unknown_codes, write_labels
    from pulsaurora.problems import UnreadableFileError, UsageError

    if any(out.absolute() == workbook.absolute() for workbook in workbooks) or out.suffix.lower() != ".csv":
        raise UsageError(f"--out {out}: name a new file that ends in .csv")
    tables, problems, unreadable, unknown = [], [], [], []
    for workbook in workbooks:
        found = []
        try:
            table = read_labels(workbook, problems=found)
        except UnreadableFileError as error:
            unreadable.append(error)
            typer.echo(f"pulsaurora: {error}", err=True)
            continue
        kinds = Counter(problem.kind for problem in found)
        used = table[["sheet", "row"]].drop_duplicates()
        n_rows = len(used) + sum(kinds.values()) - kinds["noted"]
        typer.echo(
            f"{workbook.name}: {n_rows} rows; {len(used)} give {len(table)} labels, {kinds['heading']} are "
            f"headings, {kinds['legend']} legends, {kinds['refused']} refused; {kinds['noted']} notes"
        )
        for problem in found:
            if problem.kind == "refused":
                typer.echo(f"  refused: {problem}", err=True)
        for problem in (codes := unknown_codes(table)):
            typer.echo(f"  {problem}", err=True)
        unknown += codes
        tables.append(table)
        problems.extend(found)
    if not tables:
        return 1
    import pandas as pd

    table = pd.concat(tables, ignore_index=True)
    refused = [problem for problem in problems if problem.kind == "refused"]
    refuse_empty(table, [*refused, *unreadable], workbooks)
    beside = write_labels(out, table, problems)
    typer.echo(f"{len(table)} labels in {out}; {len(problems)} rows with a reason in {beside}")
    return 3 if unreadable or unknown or refused else 0
