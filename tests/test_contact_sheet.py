"""The page of pictures and answers: whole by itself, and nothing that is shown on it is markup."""

import base64
import hashlib
import io
import os
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from runners.predict.folder import readable
from runners.predict.sheet import SIDE, Card, page, thumbnail

EVIL = "</script><img src=x onerror=alert(1)>\"' & {0}"


class Outline(HTMLParser):
    """The tags of a page with their attributes, its text, and what was opened and not closed."""

    VOID = ("meta", "img", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))


@pytest.fixture
def folder(tmp_path):
    """Pictures, some of which cannot be read."""
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (900, 300), "red").save(tmp_path / "wide.png")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "sub" / "Clear.PNG")
    (tmp_path / "cut.png").write_bytes((tmp_path / "wide.png").read_bytes()[:100])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    return tmp_path


def card(name, answer, parsed=None, score=-0.5, others=()):
    content = io.BytesIO()
    Image.new("RGB", (4, 4), "blue").save(content, "JPEG")
    return Card(name, content.getvalue(), answer, parsed, score, others)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_pictures_that_cannot_be_read_are_named(folder):
    good, bad = readable(folder)
    assert list(good) == ["sub/Clear.PNG", "wide.png"]
    assert bad == [("cut.png", "image file is truncated"), ("empty.jpg", "it is no picture of a known format")]
    assert not any(str(folder) in why for _, why in bad)


def test_a_name_that_is_no_text_is_left_out(tmp_path):
    with (tmp_path / os.fsdecode(b"\xff.png")).open("wb") as file:
        Image.new("RGB", (4, 4)).save(file, "PNG")
    good, bad = readable(tmp_path)
    assert not good
    assert bad == [("'\\udcff.png'", "its name cannot be written")]


def test_thumbnails_are_small_upright_and_on_white(folder, tmp_path):
    assert opened(thumbnail(folder / "wide.png")).size == (SIDE, SIDE // 3)
    assert opened(thumbnail(folder / "sub" / "Clear.PNG")).getpixel((5, 5)) == (255, 255, 255)
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright: turn by a quarter
    Image.new("RGB", (100, 50)).save(tmp_path / "turned.jpg", exif=turned)
    assert opened(thumbnail(tmp_path / "turned.jpg")).size == (50, 100)


def test_nothing_shown_is_markup():
    sheet = Outline(page(EVIL, [card(EVIL, EVIL, EVIL + "!", others=[EVIL])], [(EVIL, EVIL)]))
    assert sheet.open == []
    assert [tag for tag, _ in sheet.tags].count("script") == 1
    assert [tag for tag, _ in sheet.tags].count("img") == 1
    assert not [attribute for _, attributes in sheet.tags for attribute in attributes if attribute.startswith("on")]
    (figure,) = [attributes for tag, attributes in sheet.tags if tag == "figure"]
    assert figure["data-name"] == EVIL and figure["data-answer"] == EVIL + "!"
    shown = [text for tag, text in sheet.texts if tag not in ("script", "style") and EVIL in text]
    assert len(shown) == 8  # title, heading, choice, answer, what it is read as, the next best, name, left out


def test_the_page_loads_nothing_and_runs_only_its_own_script():
    text = page("What is it?", [card("a.png", "cat")], [])
    sheet = Outline(text)
    (policy,) = [attributes["content"] for tag, attributes in sheet.tags if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("script", "style"):
        (body,) = ["".join(part for where, part in sheet.texts if where == tag)]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', text)
    assert addresses and all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert opened(base64.b64decode(addresses[0].partition(",")[2])).size == (4, 4)


def test_answers_can_be_chosen_the_most_frequent_first():
    cards = [card("1.png", "a cat", "cat"), card("2.png", "dog!", "dog"), card("3.png", "A dog.", "dog")]
    cards.append(card("4.png", ""))
    text = page("?", cards, [])
    assert re.findall(r"<option value=\"([^\"]*)\">([^<]*)", text)[:4] == [
        ("", "all"),
        ("dog", "dog (2)"),
        ("", "nothing (1)"),
        ("cat", "cat (1)"),
    ]
    assert page("?", cards, []) == text


def test_control_characters_are_replaced():
    text = page("?", [card("a.png", "x\x01\x1ey\nz")], [])
    assert "x��y\nz" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
