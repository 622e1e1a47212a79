"""HTML that cannot be broken by what is put into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsedhtml import Parsed

from pulsaurora.views.html import Html, element, escaped, page, pairs, picture, table

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><b>",
    "a & b",
    "'x'",
    "]]>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text_wherever_it_stands(text):
    parsed = Parsed(
        page(
            text,
            "p {}",
            element("p", text, title=text),
            table([text], [[text]], (0,), text),
            pairs([(text, text)]),
        )
    )
    known = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "p",
        "table",
        "caption",
        "thead",
        "tbody",
    }
    assert set(parsed.tags) <= known | {"tr", "th", "td", "dl", "dt", "dd"}
    assert ("p", "title", text) in parsed.attributes
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert parsed.text.count(text) == 7


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=60))
def test_what_can_be_printed_comes_back_as_it_was(text):
    if text.isprintable():
        assert Parsed(element("p", text)).text == text


def test_what_cannot_be_printed_is_written_out():
    assert escaped("a\x00b\u202ec\ndé") == "a\\x00b\\u202ec\\ndé"
    assert escaped("\udcff").encode()  # a byte of a file's name that is no text
    assert escaped("6\N{NO-BREAK SPACE}%") == "6\N{NO-BREAK SPACE}%"
    assert len(escaped("x" * 10**6)) < 3000
    assert escaped(Html("<b>")) == "<b>" and element("p", None, 0) == "<p>0</p>"


def test_a_page_loads_nothing_and_holds_its_pictures():
    parsed = Parsed(page("t", "", picture(b"\x89PNG" * 5000, "what it shows")))
    (source,) = [value for tag, name, value in parsed.attributes if name == "src"]
    assert source.startswith("data:image/png;base64,iVBOR") and len(source) > 20000
    contents = [value for tag, name, value in parsed.attributes if (tag, name) == ("meta", "content")]
    assert contents[0].startswith("default-src 'none'; img-src data:")
