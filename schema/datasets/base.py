"""What all data sets share: the question that is asked, the hold-out, and what happens to bad rows."""

from typing import ClassVar, Literal

from pydantic import Field

from schema.base import Model, default

Task = Literal["generate", "classify", "tag", "embed", "solve", "prefer", "detect", "segment", "sequence"]
"""What rows are prepared for."""
OF_TEXT: tuple[Task, ...] = ("generate", "classify", "tag", "embed", "solve", "prefer")
FRACTION_OF_ROWS = Field(0.0, ge=0, lt=1)


class Split(Model):
    """How rows are held out. The same seed and rows always give the same split."""

    validation: float = FRACTION_OF_ROWS
    """The share of rows in `validation`."""
    test: float = FRACTION_OF_ROWS
    """The share of rows in `test`."""
    stratify: bool = True
    """Keep the shares of the classes equal in every split, where rows have a class."""

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that have rows: `train` always has."""
        held_out = (name for name in ("validation", "test") if getattr(self, name) > 0)
        return ("train", *held_out)


class DatasetBase(Model):
    """Fields of every kind of data set."""

    prompt: str | None = None
    """The user's message for rows that bring none of their own."""
    prompt_file: str | None = None
    """A file of the project that holds the `prompt`, where it is long or several recipes share it."""
    system: str | None = None
    """The system message for rows that bring none of their own."""
    split: Split = default(Split)
    """What is held out of training."""
    parts: ClassVar[tuple[str, ...]] = ()
    """Its fields that are paths below `path`."""
    draws: ClassVar[bool] = False
    """Whether preparation draws the pictures, instead of pointing at files of the project."""
    tasks: ClassVar[tuple[Task, ...]] = OF_TEXT
    """What its rows can be prepared for."""
    on_bad: Literal["error", "skip"] = "error"
    """A bad row ends the stage, or is counted in the report and left out."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows."""
        return self.split.names

    @property
    def local(self) -> str | None:
        """The file or folder of the project that it lies in, if it lies in one."""
        return None

    def makes(self, task: Task) -> tuple[str, ...]:
        """The folders of pictures that preparation makes."""
        return ("images",) if self.draws else ()


class LocalDataset(DatasetBase):
    """A data set that lies in the project, or elsewhere under a name that the machine file maps."""

    path: str = Field(min_length=1)
    """A file or folder, relative to the project's root."""
    external: bool = False
    """The path is absolute and the same on every machine that runs this recipe."""

    @property
    def local(self) -> str:
        return self.path


class Embeddable(DatasetBase):
    """A data set whose rows may hold the pictures themselves."""

    embedded: bool = False
    """Pictures are bytes in the rows, as data sets on hubs have them; preparation writes them to files."""

    def makes(self, task: Task) -> tuple[str, ...]:
        return ("images",) if self.embedded else ()


class Columns(Model):
    """Which column of a table plays which part."""

    prompt: str | None = None
    """The user's message; the data set's `prompt` when absent."""
    answer: str | None = None
    """The answer to learn, the solution to find, or the preferred one of two answers."""
    rejected: str | None = None
    """The other one of two answers."""
    label: str | None = None
    """The class, or a list of classes where rows have any number of them."""
    label_separator: str | None = Field(None, min_length=1)
    """What stands between several classes of one cell, as in `dog|cat`; without it such a cell is a JSON list."""
    positive: str | None = None
    """A text that belongs to what is asked, for embeddings."""
    negatives: str | None = None
    """A list of texts that do not belong to it."""
    image: str | None = None
    """A picture's path, or a list of paths."""
    system: str | None = None
    """The system message; the data set's `system` when absent."""
