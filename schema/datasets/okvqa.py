"""Questions about COCO pictures that need knowledge of the world, with ten people's answers each (OK-VQA).

okvqa: {kind: okvqa, prompt: "{question} Answer with one word or a short phrase."} # OmniData/OK-VQA of ModelScope
official: {kind: okvqa, path: data/okvqa} # the official files and COCO's pictures, in the project
"""

from typing import Literal

from pydantic import Field

from schema.base import Model, Positive, default
from schema.datasets.base import Task
from schema.datasets.hub import OnHub

QUESTION = "{question}"
"""Where the question stands in the prompt."""


class Counts(Model):
    """How many questions each split has."""

    train: Positive = 9009
    """Training questions."""
    validation: Positive = 5046
    """Validation questions."""


class Okvqa(OnHub):
    """Training and validation rows are those of the official split; `split` has nothing to say.

    Files are found by their names, at any depth, whatever the folders are called: the official ones
    (https://okvqa.allenai.org) with COCO's pictures, that is OpenEnded_mscoco_train2014_questions.json,
    mscoco_train2014_annotations.json, COCO_train2014_000000000009.jpg, … and those of val2014.

    Of a hub's data set, zip and tar archives are read without unpacking them, also archives in archives, and the pictures
    that questions are about are copied out. What OmniData/OK-VQA holds was not seen: public programs unzip its archives and
    then read files of these names. One that is missing is named, with what was looked through.
    """

    kind: Literal["okvqa"]
    id: str = Field("OmniData/OK-VQA", min_length=1)
    """Owner and name on the hub, of a data set that holds the files."""
    path: str | None = Field(None, min_length=1)
    """A folder that already holds them, relative to the project's root, instead of a download."""
    external: bool = False
    """The path is absolute and the same on every machine that runs this recipe."""
    counts: Counts | None = default(Counts)
    """How many questions there have to be; null takes any number."""
    answers: Literal["answer", "raw_answer"] = "answer"
    """Which text of each annotator is learned and scored: the one that the official score compares, or what was written."""

    @property
    def local(self) -> str | None:
        return self.path

    def makes(self, task: Task) -> tuple[str, ...]:
        return ("images",) if self.path is None else ()

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "validation")
