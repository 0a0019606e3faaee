"""Rewards: what an answer is worth. Those by name are `runners/rewards/NAME.py`; the others are the project's own.

rewards:
  - {kind: exact, extract: "<answer>(.*?)</answer>"}
  - {kind: format, pattern: "<think>.*</think>\\s*<answer>.*</answer>", weight: 0.5}
  - {kind: numeric, tolerance: 0.01}
  - {kind: label-f1, separator: ","}
  - {kind: length, at_most: 400, slack: 200, weight: 0.2}
  - {kind: file, file: rewards/polite.py, function: polite, parameters: {word: please}}
  - {kind: path, path: rewards.polite.polite}
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schema.base import Model, Positive

NonNegative = Annotated[float, Field(ge=0)]
SETTINGS = ("kind", "weight", "file", "path", "function", "parameters")
"""Fields of a reward that are no parameters of its function."""


class RewardBase(Model):
    """What all rewards share."""

    weight: float = Field(1.0, gt=0)
    """The answer's reward is the sum of all rewards, each times its weight."""

    @property
    def function_of(self) -> tuple[str, str] | None:
        """The file of the project that holds the function, and its name; None for a reward of ours."""
        return None


class Extracting(RewardBase):
    """A reward that looks at a part of the answer."""

    extract: str | None = Field(None, min_length=1)
    """A regular expression whose first group is what counts of an answer; an answer without it gets 0."""


class Exact(Extracting):
    """1 where the answer is the solution, else 0."""

    kind: Literal["exact"]
    ignore_case: bool = True
    """Upper and lower case are the same."""


class Format(RewardBase):
    """1 where the whole answer matches a regular expression, else 0."""

    kind: Literal["format"]
    pattern: str = Field(min_length=1)
    """The regular expression; `.` also matches line ends."""


class Numeric(Extracting):
    """1 where the last number of the answer is near the solution's, else 0."""

    kind: Literal["numeric"]
    tolerance: NonNegative = 0.0
    """How far off a number may be."""
    relative_tolerance: NonNegative = 0.0
    """How far off, as a share of the solution; the wider of both tolerances counts."""


class LabelF1(Extracting):
    """F1 of the labels that the answer lists, against those of the solution."""

    kind: Literal["label-f1"]
    separator: str = Field(",", min_length=1)
    """What stands between two labels."""
    ignore_case: bool = True
    """Upper and lower case are the same."""


class Length(RewardBase):
    """1 within the limits, falling to 0 over `slack` beyond them."""

    kind: Literal["length"]
    unit: Literal["characters", "words"] = "characters"
    """What is counted."""
    at_least: int = Field(0, ge=0)
    """The lower limit."""
    at_most: Positive
    """The upper limit."""
    slack: int = Field(0, ge=0)
    """The width of the slope beyond each limit; 0 drops at once."""


class FileReward(RewardBase):
    """A function of a file of the project: `def polite(answer, solution, **parameters) -> float`.

    One whose first parameter is called `completions` is called as the engines call theirs: with all answers at once and
    the columns of the rows by name; it returns a list.
    """

    kind: Literal["file"]
    file: str = Field(min_length=1)
    """The Python file, relative to the project's root. It stands alone: it imports nothing else of the project."""
    function: str = Field("reward", min_length=1)
    """The function's name."""
    parameters: dict[str, JsonValue] = {}
    """Keyword arguments of the function."""

    @property
    def function_of(self) -> tuple[str, str]:
        return self.file, self.function


class PathReward(RewardBase):
    """The same by a dotted path: `rewards.polite.polite` is the function `polite` of `rewards/polite.py`."""

    kind: Literal["path"]
    path: str = Field(min_length=1)
    """Folders, file and function, from the project's root, joined by dots."""
    parameters: dict[str, JsonValue] = {}
    """Keyword arguments of the function."""

    @property
    def function_of(self) -> tuple[str, str]:
        module, _, function = self.path.rpartition(".")
        return f"{module.replace('.', '/')}.py", function


Reward = Annotated[
    Exact | Format | Numeric | LabelF1 | Length | FileReward | PathReward,
    Field(discriminator="kind"),
]
