"""Questions about COCO pictures that need knowledge of the world, with ten people's answers each (OK-VQA).

okvqa: {kind: okvqa, path: data/okvqa, prompt: "{question} Answer with one word or a short phrase."}
"""

from typing import Literal

from schema.base import Model, Positive, default
from schema.datasets.base import LocalDataset

QUESTION = "{question}"
"""Where the question stands in the prompt."""


class Counts(Model):
    """How many questions each split has."""

    train: Positive = 9009
    validation: Positive = 5046


class Okvqa(LocalDataset):
    """Training and validation rows are those of the official split; `split` has nothing to say.

    Below `path`, at any depth, lie the official files (https://okvqa.allenai.org) with COCO's pictures:
    OpenEnded_mscoco_train2014_questions.json, mscoco_train2014_annotations.json, COCO_train2014_000000000009.jpg, … and
    those of val2014. The archives of OmniData/OK-VQA on ModelScope are unpacked there: files are found by their names,
    whatever the folders are called. That its archives hold files of these names was not checked; one that is missing is named.
    """

    kind: Literal["okvqa"]
    counts: Counts | None = default(Counts)
    """How many questions there have to be; null takes any number."""
    answers: Literal["answer", "raw_answer"] = "answer"
    """Which text of each annotator is learned and scored: the one that the official score compares, or what was written."""

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "validation")
