"""Short clips in one folder for each class, as folders of frames or as video files.

gestures: {kind: frame-folder, path: data/gestures, frames: 16, split: {validation: 0.2}}
sports:   {kind: video-folder, path: data/sports, frames: 16, size: 256, split: {validation: 0.2}}
"""

from typing import ClassVar, Literal

from pydantic import Field

from schema.datasets.base import LocalDataset, Task

FRAMES = Field(16, ge=1, le=1024)


class FrameFolder(LocalDataset):
    """PATH/CLASS/CLIP/*.jpg: the frames of a clip in the order of their names."""

    tasks: ClassVar[tuple[Task, ...]] = ("sequence",)
    kind: Literal["frame-folder"]
    frames: int = FRAMES
    """How many frames of each clip are taken, at equal distances; a shorter clip repeats some."""


class VideoFolder(LocalDataset):
    """PATH/CLASS/*.mp4: frames are decoded once and written as pictures."""

    tasks: ClassVar[tuple[Task, ...]] = ("sequence",)
    draws: ClassVar[bool] = True
    kind: Literal["video-folder"]
    frames: int = FRAMES
    """How many frames of each video are taken, at equal distances; a shorter one repeats some."""
    size: int = Field(256, ge=8, le=4096)
    """The shorter side of the frames in pixels; smaller videos keep theirs."""
