"""One batch of the same rows by ms-swift and by TRL: `python real_batches.py MODEL ROWS FOLDER ANSWER`.

The answer, JSON: for each engine the token ids, the labels, the grid of pictures, and how far apart the pixels are.
"""

import json
import os
import sys
from pathlib import Path


def swift(model, rows):
    from swift import get_model_processor, get_template

    loaded, processor = get_model_processor(model, model_type="qwen2_vl")
    template = get_template(processor, template_type="qwen2_vl")
    template.model = loaded  # which gives the positions
    template.set_mode("train")
    return template.data_collator([template.encode(row) for row in rows])


def trl(model, rows, folder):
    from transformers import AutoProcessor
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from runners import trl_rows

    examples = trl_rows.Pictures([trl_rows.example(row, True) for row in rows], Path(folder))
    collate = DataCollatorForVisionLanguageModeling(AutoProcessor.from_pretrained(model), completion_only_loss=True)
    return collate([examples[index] for index in range(len(rows))])


def main(model, file, folder, told):
    os.environ["ROOT_IMAGE_DIR"] = folder
    rows = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    ours, theirs = swift(model, [dict(row) for row in rows]), trl(model, rows, folder)
    names = ("input_ids", "labels", "attention_mask", "image_grid_thw")
    answer = {"ms-swift": {name: ours[name].tolist() for name in names}}
    answer["trl"] = {name: theirs[name].tolist() for name in names}
    answer["pixels"] = float((ours["pixel_values"].float() - theirs["pixel_values"].float()).abs().max())
    Path(told).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
