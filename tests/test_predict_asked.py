"""What a person asks a model, before one is there: chats, pictures and videos, rows, and how answers are searched for."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from runners import answers
from runners.predict import __main__ as shell
from runners.predict import ask, chats, media
from runners.predict.conversations import of_rows
from runners.predict.dataset import names, read
from runners.predict.predictor import check
from schema.diagnostics import RecipeError

TEXT = {"type": "text", "text": "What is it?"}
SEARCH = {
    **{"beams": 1, "returned": 1, "length_penalty": 1.0, "max_new_tokens": 8},
    **{"batch": 1, "temperature": 0.0, "top_p": 1.0},
}


def said(function, *arguments, **named):
    with pytest.raises(RecipeError) as error:
        function(*arguments, **named)
    return [(found.code, found.message) for found in error.value.diagnostics]


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "path": "a cat.jpg"},
        {"type": "image", "image": "a cat.jpg"},
        {"type": "image", "url": "a cat.jpg"},
        {"type": "image", "image": "file:///a%20cat.jpg"},
        {"type": "image_url", "image_url": {"url": "file:///a%20cat.jpg"}},
        {"type": "video", "video": "a cat.jpg"},
        {"type": "video_url", "video_url": "a cat.jpg"},
    ],
)
def test_a_file_stands_in_a_part_under_several_names(part):
    ((turn,)) = chats.chat(user(part, TEXT), "it")
    shown, text = turn["content"]
    assert shown == {"type": part["type"][:5], "path": "/a cat.jpg" if "file" in str(part) else "a cat.jpg"}
    assert text == TEXT


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "no list of messages"),
        ({"messages": []}, "no list of messages"),
        (["Who are you?"], "message 1 has no `role`"),
        ([{"role": "user"}], "message 1 has no `content`"),
        ([{"role": "user", "content": []}], "message 1 has no `content`"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}], "it ends with an answer"),
        (user("Who are you?"), "part 1 of message 1 is no text, picture or video"),
        (user(TEXT, {"type": "audio", "path": "a.wav"}), "part 2 of message 1 is no text, picture or video"),
        (user({"type": "image"}, TEXT), "part 1 of message 1 names no file"),
        (user({"type": "image", "url": "https://example.com/1.jpg"}, TEXT), "part 1 of message 1 is no file of this"),
    ],
)
def test_what_is_no_chat(told, words):
    ((code, message),) = said(chats.chat, told, "chat.json")
    assert code == "R0635" and message.startswith("chat.json is no chat to answer: ") and words in message


def test_files_that_are_missing_or_no_pictures_are_all_named(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("no picture")
    good = ask("Q", [tmp_path / "good.png", tmp_path / "good.png"])
    assert media.sizes([good, ask("Q")]) == [24, 0]
    found = said(media.sizes, [good, ask("Q", [tmp_path / "text.jpg", tmp_path]), ask("Q", [], [tmp_path / "no.mp4"])])
    assert {code for code, _ in found} == {"R0634"}
    assert [message.replace(str(tmp_path), "DIR") for _, message in found] == [
        "DIR/text.jpg cannot be read as a picture: cannot identify image file 'DIR/text.jpg'",
        "there is no file DIR",
        "there is no file DIR/no.mp4",
    ]


def test_a_picture_that_ends_too_early_is_found(tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    asked = [ask("Q", [tmp_path / "whole.png", tmp_path / "cut.png"])]
    assert media.sizes(asked) == [2 * 64 * 64]  # its head is whole
    ((code, message),) = said(media.decoded, asked, as_pictures=False)
    assert code == "R0634" and "cut.png cannot be read as a picture" in message


@pytest.mark.parametrize("name", ["a.bmp", "a.tiff", "a.gif", "a.png"])
def test_pictures_of_every_format_are_seen_as_in_training(tmp_path, name):
    """Processors of transformers decode a path with torchvision, which takes neither BMP, TIFF nor moving GIF."""
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    more = {"save_all": True, "append_images": [second]} if name == "a.gif" else {}
    turned = Image.Exif()
    turned[0x0112] = 6
    first.save(tmp_path / name, **more, **({"exif": turned} if name == "a.png" else {}))
    (((turn,),), clips) = media.decoded([ask("Q", [tmp_path / name])], as_pictures=False)
    picture = turn["content"][0]["image"]
    assert (picture.mode, picture.size, picture.getpixel((0, 0)), clips) == ("RGB", (8, 8), (255, 0, 0), [])


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "mpeg4"), ("mkv", "mpeg4")])  # Matroska counts no frames
def test_frames_of_a_video(tmp_path, ending, codec):
    """Two a second; as pictures 16 at most, over the whole of it."""
    file = film(tmp_path / f"film.{ending}", codec, seconds=20)
    asked = [ask("Q", videos=[file])]
    (((turn,),), (clip,)) = media.decoded(asked, as_pictures=False)
    assert (turn["content"][0]["video"].shape, clip.total_num_frames) == ((40, 32, 32, 3), 80)
    (((turn,),), clips) = media.decoded(asked, as_pictures=True)
    *pictures, text = turn["content"]
    assert (len(pictures), clips, text["text"]) == (16, [], "Q")
    shades = [np.asarray(part["image"]).mean() for part in pictures]
    assert shades == sorted(shades) and shades[-1] > 200


def test_what_is_no_video(tmp_path):
    (tmp_path / "film.mp4").write_text("no video")
    sound(tmp_path / "sound.mp4")
    found = said(media.decoded, [ask("Q", videos=[tmp_path / "film.mp4", tmp_path / "sound.mp4"])], as_pictures=True)
    assert {code for code, _ in found} == {"R0634"}
    assert [message.rpartition("/")[2] for _, message in found][1] == (
        "sound.mp4 cannot be read as a video: it has sound and no pictures"
    )
    assert "film.mp4 cannot be read as a video" in found[0][1]


def sound(path):
    """A tone, and nothing to see."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)


def film(path, codec, seconds):
    """Four frames a second that get brighter to the end."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=4)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(4 * seconds):
            shade = np.full((32, 32, 3), number * 255 // (4 * seconds), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("beams", 0), ("returned", 0), ("batch", 0), ("max_new_tokens", 0), ("temperature", -1.0)),
        *(("temperature", float("nan")), ("top_p", 0.0), ("top_p", 1.1), ("length_penalty", float("inf"))),
    ],
)
def test_a_search_that_is_none(name, value):
    check(**SEARCH)
    assert said(check, **SEARCH | {name: value}) == [("R0632", f"`{name}` is {value}")]


def test_more_answers_than_beams_and_beams_with_a_temperature():
    check(**SEARCH | {"temperature": 1.0, "returned": 3})
    assert said(check, **SEARCH | {"beams": 2, "returned": 3})[0][0] == "R0632"
    assert said(check, **SEARCH | {"beams": 2, "temperature": 1.0})[0][0] == "R0632"


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "Who?"}'])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"messages": []}) + f"\n{line}\n")
    with pytest.raises(RecipeError) as error:
        read(file)
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.spans[0].line) == ("R0630", 2)


def test_a_row_whose_content_is_parts_becomes_a_prediction():
    """It did not, after all rows had been answered."""
    row = {"messages": user({"type": "image", "path": "a.png"}, TEXT)}
    (line,) = answers.predictions([row], [row | {"response": "a dog"}], [], "none")
    assert (line["input"]["prompt"], line["answer"]) == ("What is it?", "a dog")


def test_a_file_without_rows_is_named(tmp_path):
    (tmp_path / "rows.jsonl").touch()
    assert said(read, tmp_path / "rows.jsonl") == [("R0573", f"{tmp_path / 'rows.jsonl'} has no rows")]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"messages": [{"role": "user", "content": "<image>Q"}]}, "`<image>` without a file that belongs there"),
        ({"messages": [{"role": "user", "content": "Q"}], "images": ["a.png"]}, "more pictures or videos than tags"),
        ({"messages": [{"role": "user", "content": "<image>Q"}], "images": "a.png"}, "`images` that are no list"),
        ({"messages": [{"role": "system", "content": "Be kind"}]}, "no message of a user"),
        ({"messages": [{"content": "Q"}]}, "a message without `role`"),
        ({"messages": [{"role": "user"}]}, "a message without `content`"),
        ({"messages": []}, "no message of a user"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named(tmp_path, row, words):
    rows = [{"messages": [{"role": "user", "content": "Q"}]}, row]
    ((code, message),) = said(of_rows, rows, names(tmp_path / "rows.jsonl", rows), tmp_path)
    assert code == "R0630" and message.startswith(f"row 2 of {tmp_path / 'rows.jsonl'} has {words}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--image", "no.png", "--question", "What?"], "R0634"),
        (["--question", "What?", "--returned", "2"], "R0632"),
        (["--chat", "chat.json"], "R0635"),
        (["--question", " "], "there is no text"),
        (["--chat", "chat.json", "--image", "a.png"], "belong to a --question"),
    ],
)
def test_the_shell_refuses_before_a_model_is_loaded(tmp_path, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat.json").write_text("[]")
    monkeypatch.setattr(shell, "loaded", lambda options: pytest.fail("a model is loaded"))
    with pytest.raises((RecipeError, SystemExit)) as error:
        shell.main(["--model", "no", *words])
    shown = [found.code for found in error.value.diagnostics] if error.type is RecipeError else capsys.readouterr().err
    assert expected in shown
