"""Which relation paths are learnt from, and the rows that they become."""

import json
from argparse import Namespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runners import relation_paths, synthesize
from runners.relation_paths import REASONS, Written, judge
from schema.diagnostics import RecipeError

GOLD = {"1": ["two", "a dog"], "2": ["cat"]}


def fate(text, *, question="1", **limits):
    (judged,) = judge([Written(question, "dog", -1.0, text)], GOLD, **{"per_question": 2, "max_relations": 2} | limits)
    return judged.reason, judged.path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("man -> walks -> dog", ("kept", "man -> walks -> dog")),
        ("Path:\nman → walks  ->  The Dog.", ("kept", "man -> walks -> The Dog")),
        ("The path is: 1. **man** --> walks => `dog`!", ("kept", "man -> walks -> dog")),
        ('- "man -> walks -> dog"', ("kept", "man -> walks -> dog")),
        ("man -> ... -> dog", ("a gap", "man ->  -> dog")),
        ("hands -> number -> 2", ("kept", "hands -> number -> 2")),  # number words are compared as digits
        ("a dog", ("no path", "")),
        ("", ("no path", "")),
        ("man -> -> dog", ("a gap", "man ->  -> dog")),
        ("-> walks -> dog", ("a gap", " -> walks -> dog")),
        ("man -> walks", ("no end", "man -> walks")),
        (
            "man -> in -> park -> with -> pond -> of -> dog",
            ("too long", "man -> in -> park -> with -> pond -> of -> dog"),
        ),
        ("the dog -> is -> dog", ("a circle", "the dog -> is -> dog")),
        ("man -> walks -> cat", ("another answer", "man -> walks -> cat")),
    ],
)
def test_a_path_alone(text, expected):
    assert fate(text) == expected


def test_the_best_of_a_question_stay():
    paths = [
        Written("1", "dog", -3.0, "man -> holds -> dog"),
        Written("1", "dog", -1.0, "man -> walks -> dog"),
        Written("1", "a dog", -2.0, "A Man -> walks -> Dog"),
        Written("1", "two", -4.0, "hands -> number -> two"),
        Written("2", "cat", -9.0, "mat -> under -> cat"),
    ]
    judged = judge(paths, GOLD, per_question=2, max_relations=4)
    assert [path.reason for path in judged] == ["kept", "kept", "again", "beyond the best", "kept"]
    assert relation_paths.counts(judged) == dict.fromkeys(REASONS, 0) | {"kept": 3, "again": 1, "beyond the best": 1}


words = st.lists(st.sampled_from(["man", "dog", "holds", "->", "→", "two", ""]), max_size=9).map(" ".join)
tries = st.lists(st.builds(Written, st.sampled_from(["1", "2"]), st.just("x"), st.sampled_from([-1.0, -2.0]), words))


@given(tries, st.randoms(), st.integers(1, 3))
def test_the_order_does_not_matter_and_what_is_kept_holds(paths, random, most):
    judged = judge(paths, GOLD, per_question=most, max_relations=2)
    shuffled = random.sample(paths, len(paths))
    kept = sorted((path.written.question, path.path.casefold()) for path in judged if path.reason == "kept")
    again = judge(shuffled, GOLD, per_question=most, max_relations=2)
    assert sorted((p.written.question, p.path.casefold()) for p in again if p.reason == "kept") == kept
    assert len(set(kept)) == len(kept)
    assert all(sum(question == one for question, _ in kept) <= most for one in GOLD)
    for path in judged:
        assert path.reason in REASONS
        if path.reason == "kept":
            end = relation_paths.normalized(path.path.rpartition(" -> ")[2])
            assert end in map(relation_paths.normalized, GOLD[path.written.question])


def test_a_row_teaches_its_path():
    row = {
        "messages": [{"role": "system", "content": "Look."}, {"role": "user", "content": "<image>Which {answer}?"}],
        "images": ["1.jpg"],
        "question_id": 1,
        "answers": ["dog"],
    }
    config = {"ask": "{question} Explain.", "teach": "{path}\nAnswer: {answer}"}
    (path,) = judge([Written("1", "dog", -1.0, "man -> walks -> dog")], GOLD, per_question=1, max_relations=1)
    assert synthesize._lesson(row, path, config) == {
        "messages": [
            {"role": "system", "content": "Look."},
            {"role": "user", "content": "<image>Which {answer}? Explain."},
            {"role": "assistant", "content": "man -> walks -> dog\nAnswer: dog"},
        ],
        "images": ["1.jpg"],
        "question_id": 1,
    }


@pytest.fixture
def project(tmp_path):
    """Runs `synthesize` on rows: what it raises. Pictures 1.png and same.png have the same pixels, other.png has others."""
    for name, colour in {"1.png": "red", "same.bmp": "red", "other.png": "blue"}.items():
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    (tmp_path / "config.json").write_text('{"prompt": "{question} {answer}", "max_new_tokens": 4, "batch": 1}')

    def run(rows, held_out, candidates=()):
        write(tmp_path / "train.jsonl", rows)
        write(tmp_path / "beams.jsonl", [row | {"candidates": list(candidates)} for row in rows])
        write(tmp_path / "validation.jsonl", held_out)
        named = {"data": "train", "predictions": "beams", "held_out": "validation"}
        words = [word for name, file in named.items() for word in (f"--{name}", str(tmp_path / f"{file}.jsonl"))]
        words += ["--image_folder", str(tmp_path), "--config", str(tmp_path / "config.json"), "--to", str(tmp_path)]
        with pytest.raises(RecipeError) as error:
            synthesize.main([*words, "--model", "no"])
        (problem,) = error.value.diagnostics
        return problem

    return run


def asked(number, text="What is it?", picture="1.png"):
    messages = [{"role": "user", "content": f"<image>{text} One word."}]
    return {"question_id": number, "question_text": text, "messages": messages, "images": [picture], "answers": ["x"]}


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        (asked(2, "Where?", "other.png"), "the first is 2"),
        (asked(7, "What is  the IT", "same.bmp"), "the first is 1, there under the number 7"),
    ],
)
def test_a_question_that_is_held_out_ends_the_run(project, held_out, said):
    found = project([asked(1), asked(2, "Why?")], [asked(3, "Who?"), held_out])
    assert (found.code, said in found.message) == ("R0691", True)


def test_another_question_about_a_picture_and_a_question_about_another_picture_are_others(project):
    answer = {"answer": "x", "score": -1.0}
    found = project([asked(1), asked(2, "Why?")], [asked(3, "Who?"), asked(4, picture="other.png")], [answer])
    assert found.code == "R0639"  # it came to the model, which is none


def test_what_was_compared_is_reported(project, tmp_path):
    rows = {"1": asked(1), "2": asked(2, "Why?", "no.png")}
    options = Namespace(image_folder=tmp_path, data="d", held_out="h")
    project(list(rows.values()), [asked(3, "Who?")])  # makes the pictures
    found = synthesize.apart(rows, [asked(3, "Who?"), asked(4, picture="other.png")], options)
    assert found == {"rows": 2, "same_texts": 1, "pictures_compared": 2, "in_both": 0}


def test_files_without_a_row_or_an_answer_are_named(project):
    assert project([], [asked(3)]).code == "R0573"
    assert project([asked(1)], []).code == "R0573"
    found = project([asked(1)], [asked(3, "Who?")], [{"answer": " ", "score": -1.0}])
    assert found.code == "R0694" and "beams.jsonl has no answer" in found.message


def test_rows_without_answers_are_named(tmp_path):
    write(tmp_path / "train.jsonl", [{"question_id": 1, "answers": ["x"]}, {"question_id": 2}])
    with pytest.raises(RecipeError) as error:
        synthesize._read(tmp_path / "train.jsonl", "question_id", "answers")
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.spans[0].line) == ("R0690", 2)


def test_a_question_that_comes_twice_is_named(tmp_path):
    write(tmp_path / "train.jsonl", [{"question_id": n, "answers": ["x"]} for n in (1, 2, "1")])
    with pytest.raises(RecipeError, match="question 1 came before") as error:
        synthesize._by_question(tmp_path / "train.jsonl", "answers")
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.spans[0].line) == ("R0690", 3)


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
