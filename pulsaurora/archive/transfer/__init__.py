"""How files come from an archive's server: listed, fetched, checked, and only then given their names.

`remote` says what a transport offers; `http`, `ftp` and `rsync` are the transports; `names` checks every name
that a server, a workbook or a user gives; `incoming` keeps what is half there; `run` works a list off, tries
again and counts. What is wanted of which archive is not known here: see `pulsaurora.archive.download`.
"""
