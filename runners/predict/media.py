"""Pictures and videos that a model is asked about: whether they are there and can be read, and the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.data import pictures
from runners.predict import conversations
from runners.predict.conversations import Conversation
from schema.diagnostics import Diagnostic, RecipeError

FRAMES_PER_SECOND = 2
MOST_FRAMES = 16
"""Of a video that is shown as pictures, to a model that knows no videos."""
NAMED = 8
"""Files in an error at most."""


def sizes(asked: Sequence[Conversation]) -> list[int]:
    """The pixels of each conversation's pictures together.

    Errors: RecipeError R0634 with the files that are missing, or no pictures.
    """
    wrong: dict[str, Diagnostic] = {}
    found = []
    for one in asked:
        for file in conversations.files(one, "video"):
            if not Path(file).is_file():
                wrong[file] = _missing(file)
        found.append(sum(_pixels(file, wrong) for file in conversations.files(one, "image")))
    if wrong:
        raise RecipeError(list(wrong.values())[:NAMED])
    return found


def _pixels(file: str, wrong: dict[str, Diagnostic]) -> int:
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.width * opened.height
    except (FileNotFoundError, IsADirectoryError):
        wrong[file] = _missing(file)
    except Exception as error:  # decoders fail in many ways
        wrong[file] = unreadable(file, "picture", error)
    return 0


def _missing(file: str) -> Diagnostic:
    return Diagnostic("R0634", f"there is no file {file}", "correct the path")


def unreadable(file: str, kind: str, error: Exception) -> Diagnostic:
    """R0634 for a file that is not what it should be."""
    why = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return Diagnostic("R0634", f"{file} cannot be read as a {kind}: {why[0]}", f"name a {kind}, or make the file anew")


def decoded(asked: Sequence[Conversation], *, as_pictures: bool) -> tuple[list[Conversation], list[Any]]:
    """The same with pixels in place of files, and what is known of each video.

    `as_pictures` is for models that know no videos: they see some frames, one picture after another.
    Errors: RecipeError R0634 with the files that are no pictures or videos to their end.
    """
    clips: list[Any] = []
    wrong: dict[str, Diagnostic] = {}
    shown = []
    for one in asked:
        turns = [{**turn, "content": []} for turn in one]
        for turn, told in zip(turns, one, strict=True):
            for part in told["content"]:
                turn["content"] += _decoded(part, clips, wrong, as_pictures)
        shown.append(turns)
    if wrong:
        raise RecipeError(list(wrong.values())[:NAMED])
    return shown, clips


def _decoded(part: dict[str, Any], clips: list[Any], wrong: dict[str, Diagnostic], as_pictures: bool) -> list[Any]:
    kind = part["type"]
    if kind == "text":
        return [part]
    try:
        if kind == "video":
            return _frames(part["path"], clips, as_pictures)
        return [{"type": "image", "image": pictures.pixels(Path(part["path"]))}]
    except Exception as error:  # decoders fail in many ways
        wrong[part["path"]] = unreadable(part["path"], "picture" if kind == "image" else kind, error)
        return []


def _frames(file: str, clips: list[Any], as_pictures: bool) -> list[dict[str, Any]]:
    """The parts that stand for a video. Processors decode with torchcodec alone, which needs FFmpeg; PyAV brings its own."""
    import av
    from PIL import Image
    from transformers.video_utils import load_video

    with av.open(file) as container:
        if not container.streams.video:
            raise ValueError("it has sound and no pictures")
    most = MOST_FRAMES if as_pictures else None
    frames, clip = load_video(file, backend="pyav", sample_indices_fn=lambda metadata: _chosen(metadata, file, most))
    if as_pictures:
        return [{"type": "image", "image": Image.fromarray(frame)} for frame in frames]
    clips.append(clip)
    return [{"type": "video", "video": frames}]


def _chosen(metadata: Any, file: str, most: int | None) -> list[int]:
    """The numbers of FRAMES_PER_SECOND frames, or of `most`, evenly over the whole."""
    total = metadata.total_num_frames = metadata.total_num_frames or _count(file)
    metadata.duration = total / metadata.fps
    count = min(max(int(metadata.duration * FRAMES_PER_SECOND), 1), total, most or total)
    return [number * total // count for number in range(count)]


def _count(file: str) -> int:
    """The frames of a video whose container does not say how many it has."""
    import av

    with av.open(file) as container:
        return sum(1 for _ in container.decode(video=0))
