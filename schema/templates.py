"""Texts of a recipe that name what is put into them: `{question}`, `{answer}`, `{path}`."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

PLACEHOLDERS = ("question", "answer", "path")
"""What `{…}` may name in a template."""


def _template(*needed: str, also: tuple[str, ...] = ()) -> Any:
    """Text that names all of `needed`, and of PLACEHOLDERS no others but `also`."""

    def check(text: str) -> str:
        for name in needed:
            if f"{{{name}}}" not in text:
                raise PydanticCustomError("R0332", f"this template does not name `{{{name}}}`", {"help": HELP[name]})
        for name in others:
            if f"{{{name}}}" in text:
                help = "name " + " and ".join(f"`{{{other}}}`" for other in (*needed, *also)) + " only"
                raise PydanticCustomError("R0332", f"`{{{name}}}` is not known here yet", {"help": help})
        return text

    others = [name for name in PLACEHOLDERS if name not in (*needed, *also)]
    has = "".join(rf"(?=[\s\S]*\{{{name}\}})" for name in needed)
    lacks = "".join(rf"(?![\s\S]*\{{{name}\}})" for name in others)
    return Annotated[str, Field(json_schema_extra={"pattern": f"^{has}{lacks}"}), AfterValidator(check)]


HELP = {
    "question": "write `{question}` where the question is to stand",
    "answer": "write `{answer}` where the answer is to stand to which the path leads",
    "path": "write `{path}` where the path is to stand, or there is nothing to learn",
}


Prompt = _template("question", "answer")
Ask = _template("question")
Teach = _template("path", also=("question", "answer"))
