"""Make rows to learn from out of a model's own answers: it writes how each follows, and what holds is kept.

paths:
  kind: synthesize
  model: base
  predictions: beams
  data: data.train
  held_out: data.validation
  prompt: "{question} The answer is {answer}. Say how it follows, as: thing in the picture -> relation -> answer"
"""

from typing import Literal

from schema.base import Name, Positive, Reference
from schema.stage import Product, Stage, Use
from schema.templates import Ask, Prompt, Teach


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
    prompt: Prompt
    """What the model is asked for each answer; names `{question}` and `{answer}`."""
    ask: Ask = "{question} Write the path to the answer."
    """What the new rows ask: something else than the rows of `data`, or one question has two answers."""
    teach: Teach = "{path}"
    """What they answer; names `{path}`, and may name `{question}` and `{answer}`."""
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
