"""The predictor on tiny models of every family: batches, beams, and the forms in which a person asks."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from runners import tiny_model
from runners.predict import Predictor, ask
from runners.predict.conversations import conversation
from schema.diagnostics import RecipeError

SEEING = ("qwen2_5_vl", "gemma3_vision", "llama3_2_vision", "llava1_5_hf")
pytestmark = pytest.mark.engine
COLOURS = ("red", "green", "blue", "white", "black")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures of several sizes."""
    folder = tmp_path_factory.mktemp("predict")
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (28 + 28 * (number % 3), 56), colour).save(folder / f"{colour}.png")
    return folder


@pytest.fixture(scope="module", params=(*SEEING, "qwen3"))
def predictor(request, place):
    folder = place / request.param
    tiny_model.build(request.param, 0, folder)
    return Predictor(folder, dtype="float32")


@pytest.fixture(scope="module")
def asked(predictor, place):
    """Questions of several lengths, about pictures of several sizes, and one about none."""
    text = [ask("And who? " * number) for number in range(1, 4)]
    if not predictor.sees:
        return text
    about = [ask("What is it? " + "Well? " * n, [place / f"{colour}.png"]) for n, colour in enumerate(COLOURS)]
    return [*about[:3], *text, *about[3:], ask("Which?", [place / "red.png", place / "blue.png"])]


def test_answers_do_not_depend_on_batches(predictor, asked):
    alone = predictor.answer(asked, max_new_tokens=6)
    for size in (3, 16):
        together = predictor.answer(asked, max_new_tokens=6, batch=size)
        assert texts(together) == texts(alone)
        assert scores(together) == pytest.approx(scores(alone), abs=1e-3)
    turned = predictor.answer(asked[::-1], max_new_tokens=6, batch=3)[::-1]
    assert texts(turned) == texts(alone)


def test_beams_give_the_best_first_and_beat_greed(predictor, asked):
    found = predictor.answer(asked, max_new_tokens=6, beams=4, returned=3, batch=4)
    greedy = predictor.answer(asked, max_new_tokens=6)
    for candidates, (best,) in zip(found, greedy, strict=True):
        assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
        assert len(candidates) == 3
        assert candidates[0].score >= best.score - 0.02  # a search may miss what greed finds, but hardly by much
    assert texts(predictor.answer(asked, max_new_tokens=6, beams=4, returned=3)) == texts(found)


def test_scores_are_those_of_the_model(predictor, asked):
    """Log-probabilities of the answer's tokens, added up and divided by their number, from one plain forward pass."""
    import torch

    inputs = predictor._encode([conversation({"messages": asked[0]}, Path())], ["it"])
    chosen = predictor._generation(4, 1, 1.0, 5, 0.0, 1.0)
    with torch.inference_mode():
        output = predictor.model.generate(**inputs, generation_config=chosen)
        new = output.sequences[0, inputs["input_ids"].shape[1] :]
        whole = dict(inputs) | {"input_ids": output.sequences}
        for name in ("attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask"):
            if name in whole:
                last = whole[name][:, -1:] * (name in ("attention_mask", "cross_attention_mask"))
                added = last.expand(-1, len(new), *last.shape[2:])
                whole[name] = torch.cat([whole[name], added], dim=1)
        logits = predictor.model(**whole).logits[0]
    chances = logits[inputs["input_ids"].shape[1] - 1 : -1].log_softmax(-1)
    expected = sum(float(chances[place, token]) for place, token in enumerate(new)) / len(new)
    (((best,)),) = predictor.answer([asked[0]], max_new_tokens=5, beams=4)
    assert best.score == pytest.approx(expected, abs=2e-3)


def test_a_model_of_text_refuses_pictures(place):
    tiny_model.build("qwen3", 0, place / "reader")
    with pytest.raises(RecipeError) as error:
        Predictor(place / "reader").answer([ask("What is it?", [place / "red.png"])])
    assert error.value.diagnostics[0].code == "R0630"


TEMPLATE = """\
{% for turn in messages %}<|im_start|>{{ turn.role }}
{% for part in turn.content %}{% if part.type == 'KIND' %}<|vision_start|><|KIND_pad|><|vision_end|>\
{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}<|im_start|>assistant
"""
TEMPLATES = {"image": TEMPLATE.replace("KIND", "video"), "video": TEMPLATE.replace("KIND", "image")}
"""What is passed over → a chat template that does so."""


def test_a_video_is_seen(predictor, place):
    """Frames of two brightnesses give other scores than frames of one; a model that knows no videos sees them as pictures."""
    if not predictor.sees:
        with pytest.raises(RecipeError) as error:
            predictor.answer([ask("What happens?", videos=[film(place / "0.mp4", 0)])])
        assert error.value.diagnostics[0].code == "R0630"
        return
    films = [film(place / f"{shade}.mp4", shade) for shade in (0, 30)]
    asked = [ask("What happens?", videos=[path]) for path in films]
    found = predictor.answer(asked, max_new_tokens=3, beams=2, returned=2, batch=2)
    assert scores(found[:1]) != scores(found[1:])
    assert texts(predictor.answer(asked[1:], max_new_tokens=3, beams=2, returned=2)) == texts(found[1:])


def test_pictures_and_a_video_stand_in_one_question(predictor, place):
    """Both are seen: another video, or another picture, gives another score."""
    if not predictor.sees:
        return
    still, moving = film(place / "still.mp4", 0), film(place / "moving.mp4", 30)
    shown = [(["red"], still), (["red"], moving), (["blue"], still), (["red", "blue"], moving)]
    asked = [ask("Well?", [place / f"{name}.png" for name in names], [video]) for names, video in shown]
    found = predictor.answer(asked, max_new_tokens=3, beams=2, returned=2, batch=3)
    assert len({tuple(scores([candidates])) for candidates in found}) == len(shown)
    assert texts(predictor.answer(asked, max_new_tokens=3, beams=2, returned=2)) == texts(found)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_chat_template_that_passes_over_something_is_named(predictor, place, monkeypatch, kind):
    """Of a picture and a video in one question, it shows the other one only."""
    if not hasattr(predictor.processor, "video_processor"):
        return
    monkeypatch.setattr(predictor.processor, "chat_template", TEMPLATES[kind])
    both = ask("Well?", [place / "red.png"], [film(place / "0.mp4", 0)])
    with pytest.raises(RecipeError, match=f"chat template of this model passes over each {kind} of mine"):
        predictor.answer([ask("Who?"), both], names=["yours", "mine"])


def test_what_a_model_does_not_take_is_named(predictor, place):
    """A question with the token of a picture in its text, in a batch with others."""
    token = getattr(predictor.processor, "boi_token", None) or getattr(predictor.processor, "image_token", None)
    if token is None:
        return
    asked = [ask(question, [place / "red.png"]) for question in ("Who?", f"What is {token}?", "Which?")]
    with pytest.raises(RecipeError, match="this model does not take conversation 2: ") as error:
        predictor.answer(asked, batch=3)
    assert error.value.diagnostics[0].code == "R0693"


def test_a_picture_that_ends_too_early_is_named_by_a_model_that_sees(predictor, place):
    Image.effect_noise((56, 56), 50).save(place / "whole.png")
    (place / "cut.png").write_bytes((place / "whole.png").read_bytes()[:500])
    with pytest.raises(RecipeError) as error:
        predictor.answer([ask("What is it?", [place / "cut.png"])])
    [found] = error.value.diagnostics
    assert found.code == ("R0634" if predictor.sees else "R0630")
    assert ("cut.png cannot be read as a picture" in found.message) == predictor.sees


def film(path, step):
    """Two seconds that get brighter by `step` a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 56
        stream.pix_fmt = "yuv420p"
        shades = (np.full((56, 56, 3), number * step, np.uint8) for number in range(8))
        packets = [stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")) for shade in shades]
        for packet in itertools.chain(*packets, stream.encode()):
            container.mux(packet)
    return path


def texts(found):
    return [[candidate.answer for candidate in candidates] for candidates in found]


def scores(found):
    return [candidate.score for candidates in found for candidate in candidates]


# -- the shell


@pytest.fixture(scope="module")
def shell(place):
    """Runs `python -m runners.predict` on a tiny model."""
    folder = place / "shell"
    tiny_model.build("llava1_5_hf", 1, folder)

    def run(*words):
        command = (sys.executable, "-m", "runners.predict", "--model", folder, "--dtype", "float32", *words)
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)

    return run


def test_a_picture_a_chat_and_a_data_set_get_the_same_answer(shell, place):
    picture = shell("--image", place / "red.png", "--question", "What is it?", "--max_new_tokens", 4)
    assert picture.returncode == 0, picture.stderr
    chat = place / "chat.json"
    parts = [{"type": "image", "path": str(place / "red.png")}, {"type": "text", "text": "What is it?"}]
    chat.write_text(json.dumps([{"role": "user", "content": parts}]))
    several = shell("--chat", chat, "--max_new_tokens", 4, "--beams", 3, "--returned", 2, "--format", "json")
    assert len(json.loads(several.stdout)) == 2
    rows = place / "rows.jsonl"
    row = {"messages": [{"role": "user", "content": "<image>What is it?"}], "images": ["red.png"]}
    rows.write_text(json.dumps(row | {"label": None}) + "\n")
    words = (
        "--data",
        rows,
        "--image_folder",
        place,
        "--to",
        place / "out",
        "--max_new_tokens",
        4,
        "--work",
        place / "w",
    )
    assert (done := shell(*words)).returncode == 0, done.stderr
    (line,) = (place / "out/predictions.jsonl").read_text().splitlines()
    assert json.loads(line)["answer"] == picture.stdout.strip()


def test_what_is_not_there_is_named(shell):
    done = shell("--image", "no.png", "--question", "What?")
    assert done.returncode == 1
    assert "R0634" in done.stderr
    assert "Traceback" not in done.stderr
