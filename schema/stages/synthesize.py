"""Make rows to learn from out of a model's own answers: it writes how each follows, and what holds is kept.

paths:
  kind: synthesize
  model: base
  predictions: beams
  data: data.train
  held_out: data.validation
  prompt: "{question} The answer is {answer}. Say how it follows, as: thing in the picture -> relation -> answer"
"""

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from schema.base import Name, Positive, Reference
from schema.stage import Product, Stage, Use

PLACEHOLDERS = ("question", "answer", "path")
"""What `{…}` may name in a template."""


def _template(*needed: str, also: tuple[str, ...] = ()) -> AfterValidator:
    """A validator for text that names all of `needed`, and of PLACEHOLDERS no others but `also`."""

    def check(text: str) -> str:
        for name in needed:
            if f"{{{name}}}" not in text:
                raise PydanticCustomError("R0332", f"this template does not name `{{{name}}}`", {"help": HELP[name]})
        for name in PLACEHOLDERS:
            if name not in (*needed, *also) and f"{{{name}}}" in text:
                help = "name " + " and ".join(f"`{{{other}}}`" for other in (*needed, *also)) + " only"
                raise PydanticCustomError("R0332", f"`{{{name}}}` is not known here yet", {"help": help})
        return text

    return AfterValidator(check)


HELP = {
    "question": "write `{question}` where the question is to stand",
    "answer": "write `{answer}` where the answer is to stand to which the path leads",
    "path": "write `{path}` where the path is to stand, or there is nothing to learn",
}


class Synthesize(Stage):
    """Hands over `train`, rows of the relation paths that hold, with `paths.jsonl` and `report.json`: all, and why."""

    kind: Literal["synthesize"]
    model: Reference
    """Who writes the paths: a name in `models`, or a stage that hands over a model or an adapter."""
    predictions: Name
    """A `predict` stage with several answers to each question of `data`."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage: the questions."""
    held_out: Reference | None = None
    """Rows whose questions may not come back here; the split that is scored later."""
    prompt: Annotated[str, _template("question", "answer")]
    """What the model is asked for each answer; names `{question}` and `{answer}`."""
    ask: Annotated[str, _template("question")] = "{question}"
    """What the new rows ask."""
    teach: Annotated[str, _template("path", also=("question", "answer"))] = "{path}\nAnswer: {answer}"
    """What they answer; names `{path}`, and `{answer}` where it is to stand alone."""
    per_question: Positive = 2
    """Paths of one question that are kept at most, the best by the score of the answer."""
    max_relations: Positive = 4
    """Relations of a path at most."""
    batch: Positive = 8
    """Paths written at once by one process."""
    max_new_tokens: Positive = 64
    """Tokens of a path at most."""

    @property
    def uses(self) -> tuple[Use, ...]:
        held_out = (Use("held_out", ("held_out",), self.held_out, ("rows",)),) if self.held_out else ()
        return (
            Use("model", ("model",), self.model, ("models", "model", "adapter")),
            Use("predictions", ("predictions",), self.predictions, ("predictions",)),
            Use("data", ("data",), self.data, ("rows",)),
            *held_out,
        )

    @property
    def gives(self) -> Product:
        return "rows"
