"""A look before training and a folder of pictures, on tiny models: what is said is so, and what fails is named."""

import json
import math

import pytest
from PIL import Image

from runners import tiny_model
from runners.predict import Predictor, ask, check, folder
from runners.predict.conversations import conversation
from schema.diagnostics import RecipeError

pytestmark = pytest.mark.engine
SEEING = ("gemma3_vision", "llama3_2_vision", "llava1_5_hf")
ROWS = (("<image>Colour?", "red", "red.png"), ("<image>What colour is it, please?", "blue", "sub/blue.png"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures, and prepared rows about them."""
    place = tmp_path_factory.mktemp("look")
    (place / "pictures" / "sub").mkdir(parents=True)
    for _, colour, name in ROWS:
        Image.new("RGB", (56, 56), colour).save(place / "pictures" / name)
    (place / "pictures" / "bad.jpg").write_bytes(b"no picture")
    (place / "rows.jsonl").write_text("".join(json.dumps(row(*parts)) + "\n" for parts in ROWS))
    return place


def row(asked, answer, picture):
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "images": [picture], "label": answer}


@pytest.fixture(scope="module")
def model(place):
    """Builds a tiny model of a family once."""

    def build(family):
        if not (place / family).exists():
            tiny_model.build(family, 1, place / family)
        return place / family

    return build


def look(place, model, *more, rows="rows.jsonl"):
    words = ["--model", model, "--dtype", "float32", "--data", place / rows, "--image_folder", place / "pictures"]
    return check.main([str(word) for word in (*words, "--max_new_tokens", 4, "--to", place / "looked", *more)])


def failure(place, model, **more):
    with pytest.raises(RecipeError) as error:
        look(place, model, **more)
    (found,) = error.value.diagnostics
    return found


@pytest.mark.parametrize("family", SEEING)
def test_a_look_says_what_is_there(place, model, family, capsys):
    assert look(place, model(family)) == 0
    found = json.loads((place / "looked" / "check.json").read_bytes())
    assert found["rows"] == 2 and found["devices"] == ["cpu"] and found["dtypes"] == ["float32"]
    assert found["model"].endswith("ForConditionalGeneration")
    assert found["parameters"] > 50_000 and found["adapter_parameters"] == 0
    assert all(0 < pictures < tokens for pictures, tokens in zip(found["picture_tokens"], found["tokens"], strict=True))
    assert found["tokens"][0] < found["tokens"][1]
    assert "pixel_values" in found["shapes"]
    assert 0 < found["loss"] < 30  # of random models that are sure of what they say
    predictor = Predictor(model(family), dtype="float32")
    asked = [ask(asked.removeprefix("<image>"), [place / "pictures" / name]) for asked, _, name in ROWS]
    assert found["answers"] == [best.answer for (best,) in predictor.answer(asked, max_new_tokens=4)]
    said = capsys.readouterr().out
    assert "memory:" in said and f"loss: {found['loss']}" in said
    first = (place / "looked" / "check.json").read_bytes()
    look(place, model(family))
    assert (place / "looked" / "check.json").read_bytes() == first


def test_the_loss_of_rows_is_that_of_each_weighted_by_its_tokens(place, model):
    """Padding and places of pictures have no part in it; one row's loss is computed here from the model's own logits."""
    predictor = Predictor(model("llava1_5_hf"), dtype="float32")
    told = [conversation(row(*parts), place / "pictures", answered=True) for parts in ROWS]
    alone = [predictor.encode([one]) for one in told]
    counts = [int((~predictor.picture_tokens(inputs))[:, 1:].sum()) for inputs in alone]
    losses = [predictor.loss(inputs) for inputs in alone]
    mean = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert predictor.loss(predictor.encode(told)) == pytest.approx(mean, abs=1e-4)
    inputs = alone[0]
    chances = predictor.model(**inputs).logits[0].detach().double().log_softmax(-1)
    tokens, pictures = inputs["input_ids"][0].tolist(), predictor.picture_tokens(inputs)[0].tolist()
    text = [n for n in range(1, len(tokens)) if not pictures[n]]
    assert losses[0] == pytest.approx(-sum(float(chances[n - 1, tokens[n]]) for n in text) / len(text), abs=1e-4)


def test_what_fails_is_named(place, model, tmp_path):
    (place / "none.jsonl").write_text("")
    assert failure(place, model("llava1_5_hf"), rows="none.jsonl").code == "R0573"
    (place / "lost.jsonl").write_text(json.dumps(row("<image>?", "red", "lost.png")))
    lost = failure(place, model("llava1_5_hf"), rows="lost.jsonl")
    assert lost.code == "R0634" and "lost.png" in lost.message
    broken = tmp_path / "broken"
    tiny_model.build("llava1_5_hf", 1, broken)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:1000])
    loading = failure(place, broken)
    assert loading.code == "R0631" and loading.message.startswith(f"the model in {broken} cannot be loaded: ")
    (broken / "preprocessor_config.json").unlink(missing_ok=True)
    (broken / "processor_config.json").write_text("{")
    assert failure(place, broken).message.startswith(f"the processor in {broken} cannot be loaded: ")


def test_a_loss_that_is_no_number_is_refused(place, model):
    predictor = Predictor(model("llava1_5_hf"), dtype="float32")
    next(iter(predictor.model.lm_head.parameters())).data.fill_(math.nan)
    told = [conversation(row(*ROWS[0]), place / "pictures", answered=True)]
    with pytest.raises(RecipeError) as error:
        check.seen(predictor, told)
    assert error.value.diagnostics[0].message == "the forward pass failed: its loss is nan"


def test_an_adapter_is_counted_and_answers(place, model):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    base = AutoModelForImageTextToText.from_pretrained(model("llava1_5_hf"), dtype="float32")
    adapted = get_peft_model(base, LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    adapted.save_pretrained(place / "adapter")
    assert look(place, model("llava1_5_hf")) == 0
    plain = json.loads((place / "looked" / "check.json").read_bytes())
    assert look(place, model("llava1_5_hf"), "--adapter", place / "adapter") == 0
    found = json.loads((place / "looked" / "check.json").read_bytes())
    trained, _ = adapted.get_nb_trainable_parameters()
    assert found["adapter_parameters"] == trained
    assert found["model"] == plain["model"]
    assert found["loss"] != plain["loss"]


def test_a_folder_is_answered_with_a_page(place, model, capsys):
    words = [place / "pictures", "--model", model("llava1_5_hf"), "--dtype", "float32", "--prompt", "Colour?"]
    to = place / "sheet"
    assert folder.main([str(word) for word in (*words, "--to", to, "--max_new_tokens", 4, "--batch", 2)]) == 0
    told = capsys.readouterr()
    assert "2 pictures answered, 1 left out" in told.out
    assert "bad.jpg is left out: it is no picture of a known format" in told.err
    lines = [json.loads(line) for line in (to / "predictions.jsonl").read_text().splitlines()]
    assert [line["input"] for line in lines] == [
        {"prompt": "Colour?", "images": ["red.png"]},
        {"prompt": "Colour?", "images": ["sub/blue.png"]},
    ]
    predictor = Predictor(model("llava1_5_hf"), dtype="float32")
    asked = [ask("Colour?", [place / "pictures" / name]) for _, _, name in ROWS]
    assert [line["answer"] for line in lines] == [best.answer for (best,) in predictor.answer(asked, max_new_tokens=4)]
    assert (to / "contact-sheet.html").read_text().count("<figure") == 2


def test_a_folder_without_pictures_is_refused(place, tmp_path):
    with pytest.raises(RecipeError) as error:
        folder.main([str(tmp_path), "--model", str(place), "--prompt", "?", "--to", str(tmp_path / "out")])
    assert error.value.diagnostics[0].code == "R0637"
