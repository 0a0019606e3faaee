"""A contact sheet: one HTML page with small pictures and what a model answered, to sort and to look through.

The page loads nothing. Names and answers are text and never markup; a policy of the page allows its own script, its own
style and embedded pictures alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SIDE = 240  # pixels of a thumbnail's longer side
QUALITY = 80
SCORE = "the score of the answer: the higher, the likelier"


@dataclass(frozen=True, slots=True)
class Card:
    """A picture on the sheet: its path, its thumbnail as JPEG, the answer, the class that was found in it, the score of the
    answer, and the next best answers.
    """

    name: str
    thumbnail: bytes
    answer: str
    parsed: str | None
    score: float
    others: Sequence[str] = ()

    @property
    def group(self) -> str:
        """What it is filtered by."""
        return self.answer if self.parsed is None else self.parsed


def thumbnail(file: Path) -> bytes:
    """A small JPEG of a picture, turned as its camera says. Errors: whatever Pillow raises for a file it cannot decode."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        image.load()
        turned = ImageOps.exif_transpose(image).convert("RGBA")
    turned.thumbnail((SIDE, SIDE))
    paper = Image.new("RGB", turned.size, "white")
    paper.paste(turned, mask=turned.getchannel("A"))
    content = io.BytesIO()
    paper.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def page(prompt: str, cards: Sequence[Card], left_out: Sequence[tuple[str, str]]) -> str:
    """The page, the same bytes for the same pictures and answers."""
    counts = Counter(card.group for card in cards)
    groups = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    choices = "".join(
        f'<option value="{escape(name)}">{escape(name) or "nothing"} ({count})</option>' for name, count in groups
    )
    return PAGE.format(
        policy=f"default-src 'none'; img-src data:; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'",
        style=STYLE,
        script=SCRIPT,
        prompt=escape(prompt),
        total=len(cards),
        choices=choices,
        cards="\n".join(map(_figure, cards)),
        left_out=_left_out(left_out),
    )


def escape(text: str) -> str:
    """Text for a page or an attribute of it. A control character, which HTML has no way to write, becomes `\ufffd`."""
    return html.escape("".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in text))


def _digest(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style: https://www.w3.org/TR/CSP3/#grammardef-hash-source"""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _figure(card: Card) -> str:
    name = escape(card.name)
    marks = f'data-name="{name}" data-answer="{escape(card.group)}" data-score="{card.score}"'
    picture = f'<img alt="{name}" src="data:image/jpeg;base64,{base64.b64encode(card.thumbnail).decode()}">'
    parsed = "" if card.parsed in (None, card.answer) else f"<p>read as <b>{escape(card.parsed or '')}</b></p>"
    others = f"<p>or {escape(' · '.join(card.others))}</p>" if card.others else ""
    told = f'<p class="answer">{escape(card.answer) or "<i>nothing</i>"}</p>{parsed}{others}'
    scored = f'<p title="{SCORE}">{name} · {card.score:.2f}</p>'
    return f"<figure {marks}>{picture}<figcaption>{told}{scored}</figcaption></figure>"


def _left_out(bad: Iterable[tuple[str, str]]) -> str:
    items = [f"<li>{escape(name)}: {escape(why)}</li>" for name, why in bad]
    return f"<h2>{len(items)} left out</h2>\n<ul>{''.join(items)}</ul>" if items else ""


STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem; }
form { display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem; border: 1px solid #8886; border-radius: .5rem; overflow-wrap: anywhere; }
figure[hidden] { display: none; }
img { display: block; width: 100%; height: 12rem; object-fit: contain; }
p { margin: .25rem 0; font-size: .85rem; white-space: pre-wrap; }
p.answer { font-size: 1rem; font-weight: 600; }
"""

SCRIPT = """
const sheet = document.querySelector("main"), form = document.querySelector("form");
const cards = [...sheet.children];
const orders = {
  name: (a, b) => 0,
  answer: (a, b) => a.dataset.answer < b.dataset.answer ? -1 : a.dataset.answer > b.dataset.answer ? 1 : 0,
  score: (a, b) => a.dataset.score - b.dataset.score,
};
function show() {
  const wanted = form.elements.answer, words = form.elements.words.value.toLowerCase();
  let count = 0;
  for (const card of cards) {
    const fits = wanted.selectedIndex === 0 || card.dataset.answer === wanted.value;
    card.hidden = !(fits && card.textContent.toLowerCase().includes(words));
    count += !card.hidden;
  }
  sheet.append(...[...cards].sort(orders[form.elements.order.value]));
  form.elements.count.value = count;
}
form.addEventListener("input", show);
form.addEventListener("submit", event => event.preventDefault());
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{prompt}</title>
<style>{style}</style>
</head>
<body>
<h1>{prompt}</h1>
<form>
<label>Answer <select name="answer"><option value="">all</option>{choices}</select></label>
<label>Order <select name="order"><option value="name">by name</option><option value="answer">by answer</option>\
<option value="score">least likely first</option></select></label>
<label>Find <input name="words" type="search"></label>
<span><output name="count">{total}</output> of {total}</span>
</form>
<main>
{cards}
</main>
{left_out}
<script>{script}</script>
</body>
</html>
"""
