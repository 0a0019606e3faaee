"""VQA accuracy: the normal form of answers, agreement by hand and by its closed form, and scores of predictions."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runners import answers
from runners.scores import agreement as scoring
from runners.show import show
from runners.vqa import CONTRACTIONS, agreement, normalized
from schema.diagnostics import RecipeError

NORMAL = {
    "Surfing": "surfing",
    "The dog": "dog",
    "a man and an umbrella": "man and umbrella",
    "two": "2",
    "None": "0",
    "ten dogs": "10 dogs",
    "eleven": "eleven",  # the definition's number words end with ten
    "dont": "don't",
    "couldnt've": "couldn't've",
    "y'alld've": "y'all'd've",
    "shell": "shell",  # it is a word of its own
    "that's": "that's",
    "don't.": "don't",
    "U.S.A.": "usa",
    "3.5": "3.5",
    "at 3.": "at 3",
    "1,000": "1000",  # a comma between digits, and then no mark leaves a space
    "red/white": "red white",
    "red, white": "red white",
    "red,white": "red white",
    "t-shirt": "t shirt",
    "- t-shirt": "tshirt",  # a mark beside a space goes wherever it stands
    "Yes!": "yes",
    "what (is) it?": "what is it",
    "a\n\tcat  ": "cat",
    "10:30": "10:30",  # colons and apostrophes stay
    "...": "",
}


@pytest.mark.parametrize(("answer", "normal"), NORMAL.items())
def test_normal_forms_by_hand(answer, normal):
    assert normalized(answer) == normal


def test_contractions_are_made_whole_and_are_whole():
    assert len(CONTRACTIONS) >= 110
    for lacking, whole in CONTRACTIONS.items():
        assert normalized(lacking) == normalized(whole) if lacking != "somebody'd" else normalized(lacking) == whole


HAND = [
    ("surfing", ["surfing"] * 10, 1),
    ("skiing", ["surfing"] * 10, 0),
    # One of ten said so: nine times out of ten it is among the others, where it counts a third.
    ("pony", ["pony", *["tail"] * 9], Fraction(9, 10) / 3),
    ("pony", ["pony"] * 2 + ["tail"] * 8, (2 * Fraction(1, 3) + 8 * Fraction(2, 3)) / 10),
    ("pony", ["pony"] * 3 + ["tail"] * 7, (3 * Fraction(2, 3) + 7) / 10),
    ("pony", ["pony"] * 4 + ["tail"] * 6, 1),
    ("A pony.", ["pony", "the pony", "Pony", "pony!", *["tail"] * 6], 1),
    ("2", ["two", "Two", "2", "2.", *["three"] * 6], 1),
    ("", ["pony"] * 10, 0),
]


@pytest.mark.parametrize(("answer", "gold", "expected"), HAND)
def test_agreement_by_hand(answer, gold, expected):
    assert agreement(answer, gold) == pytest.approx(float(expected), abs=1e-12)


WORDS = st.sampled_from(["dog", "The dog", "cat", "two", "2", "dont", "don't", ""])


@given(WORDS, st.lists(WORDS, min_size=10, max_size=10))
def test_leaving_one_out_has_a_closed_form(answer, gold):
    """Leaving out each annotator in turn by list, against the sum over those who agree and those who do not."""
    normal, mine = [normalized(other) for other in gold], normalized(answer)
    left_out = [min(Fraction((normal[:i] + normal[i + 1 :]).count(mine), 3), Fraction(1)) for i in range(10)]
    n = normal.count(mine)
    closed = (n * min(Fraction(n - 1, 3), Fraction(1)) + (10 - n) * min(Fraction(n, 3), Fraction(1))) / 10
    assert sum(left_out) / 10 == closed
    assert agreement(answer, gold) == pytest.approx(float(closed), abs=1e-12)


@given(WORDS, st.permutations(["dog", "the dog", "cat", "two", "2", "dont", "don't", "emu", "gnu", "ant"]))
def test_the_order_of_annotators_does_not_matter(answer, gold):
    assert agreement(answer, gold) == agreement(answer, sorted(gold))


@given(st.text(max_size=30))
def test_normal_forms_have_no_capitals_and_no_articles(answer):
    words = normalized(answer).split(" ")
    assert not set(words) & {"a", "an", "the", "zero", "ten"}
    assert normalized(answer) == " ".join(normalized(answer).split())


def prediction(answer, gold, kind="Plants and Animals", **more):
    return {"question_id": 7, "answer": answer, "gold": gold, "question_type": kind, "answer_type": "other", **more}


def score(folder, predictions):
    file = folder / "predictions.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in predictions))
    scoring.main(["--predictions", str(file), "--to", str(folder / "scores")])
    return [json.loads((folder / f"scores/{name}.json").read_bytes()) for name in ("metrics", "report")]


def test_scores_of_predictions_by_type(tmp_path):
    metrics, report = score(
        tmp_path,
        [
            prediction("a pony", ["pony"] * 10),
            prediction("pony", ["pony"] + ["tail"] * 9),
            prediction("emu", ["pony"] * 10, kind="Cooking and Food"),
            prediction("...", ["pony"] * 10, kind="Cooking and Food"),
        ],
    )
    assert metrics == {"rows": 4, "unanswered": 1, "vqa_accuracy": 0.325}
    assert report["question_types"] == {
        "Cooking and Food": {"rows": 2, "vqa_accuracy": 0.0},
        "Plants and Animals": {"rows": 2, "vqa_accuracy": 0.65},
    }
    assert report["answer_types"] == {"other": {"rows": 4, "vqa_accuracy": 0.325}}
    assert report["wrong"]["count"] == 2 and report["wrong"]["first"][0]["answer"] == "emu"
    console = Console(width=100, record=True)
    console.print(*show(tmp_path / "scores"))
    shown = console.export_text()
    assert "vqa_accuracy 0.325 on 4 rows" in shown and "Plants and Animals" in shown and "0.650" in shown


def test_types_may_be_absent(tmp_path):
    _, report = score(tmp_path, [{"answer": "pony", "gold": ["pony"] * 10}])
    assert report["question_types"] == {} == report["answer_types"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ('{"answer": "pony", "label": "pony"}', "no list `gold`"),
        ('{"answer": "pony", "gold": []}', "no list `gold`"),
        ('{"answer": 3, "gold": ["pony"]}', "no text"),
        ("", "no predictions"),
    ],
)
def test_what_cannot_be_scored(tmp_path, line, said):
    file = tmp_path / "predictions.jsonl"
    file.write_text(line and f"{line}\n")
    with pytest.raises(RecipeError, match=said) as caught:
        scoring.main(["--predictions", str(file), "--to", str(tmp_path / "scores")])
    assert caught.value.diagnostics[0].code == "R0647"


def test_predictions_keep_what_scores_need():
    row = {
        "messages": [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "pony"}],
        "images": ["1.jpg"],
        "question_id": 7,
        "answers": ["pony"] * 10,
        "question_type": "other",
    }
    (found,) = answers.predictions([row], [row | {"response": "A pony"}], [], "none")
    assert found == {
        "input": {"prompt": "What?", "images": ["1.jpg"]},
        "label": "pony",
        "answer": "A pony",
        "parsed": None,
        "question_id": 7,
        "question_type": "other",
        "gold": ["pony"] * 10,
    }
