"""HTML that cannot be broken by what is put into it.

Everything that is not Html already is text and is escaped, whoever wrote it: a site's name, a comment in a
file, the metadata of a model. Pages hold their pictures and their style themselves and may load nothing.
"""

import base64
import html

# Nothing from elsewhere, no scripts: what slipped through escaping would still not run.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_EMPTY = {"meta", "img", "br"}
_LONGEST = 2000  # characters of one text; more is no name, reason or comment


_NO_BREAK = "\N{NO-BREAK SPACE}"


class Html(str):
    """Text that is HTML and goes into a page as it is."""

    __slots__ = ()


def escaped(value):
    """Return anything as HTML: Html as it is, all else as text.

    Characters that are not printable (control characters, bytes of file names that are no text, marks that
    turn the direction of writing) are written as Python writes them.
    """
    if isinstance(value, Html):
        return value
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == _NO_BREAK else _written(c) for c in text)
    return Html(html.escape(text, quote=True))


def _written(character):
    return character.encode("unicode_escape").decode()


def element(name, /, *children, **attributes):
    """Return one element.

    Parameters
    ----------
    name : str
    *children
        Html, or anything else as text; None is left out.
    **attributes
        `class_` for class; None is left out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{joined(children)}</{name}>")


def joined(parts, between=""):
    """Join parts, each escaped if it is not Html; None is left out."""
    return Html(escaped(between).join(escaped(part) for part in parts if part is not None))


def table(header, rows, numeric=(), caption=None):
    """Return a table.

    Parameters
    ----------
    header : sequence
        Headings of the columns.
    rows : iterable of sequence
    numeric : container of int
        Columns that are set to the right.
    caption : str, optional
    """
    kinds = ["n" if i in numeric else None for i in range(len(header))]
    head = element(
        "tr", *(element("th", cell, class_=kind) for cell, kind in zip(header, kinds, strict=True))
    )
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
    caption = None if caption is None else element("caption", caption)
    return element("table", caption, element("thead", head), element("tbody", *body))


def pairs(rows):
    """Return a list of names and what they are; rows whose value is None are left out."""
    cells = [joined([element("dt", name), element("dd", value)]) for name, value in rows if value is not None]
    return element("dl", *cells)


def picture(png, description):
    """Return a picture that is in the page itself.

    Parameters
    ----------
    png : bytes
    description : str
        For those who do not see it.
    """
    source = Html(f"data:image/png;base64,{base64.b64encode(png).decode()}")
    return element("img", src=source, alt=description)


def page(title, style, *body):
    """Return a whole page.

    Parameters
    ----------
    title : str
    style : str
        CSS, ours alone.
    *body
        Html, or text.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(style)),
    )
    whole = element("html", head, element("body", element("main", *body)), lang="en")
    return Html(f"<!DOCTYPE html>\n{whole}\n")
