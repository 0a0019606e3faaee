"""recipe explain R0101, recipe explain grpo.batch"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from schema.console import AsFormat, Format, fail, guarded
from schema.explain import is_code, known_codes, page


def complete(incomplete: str) -> list[str]:
    """Codes, kinds, and paths of fields as far as they are begun, for shell completion."""
    from schema.fields import fields

    codes = [code for code in known_codes() if incomplete and code.startswith(incomplete.upper())]
    whole = [field.path for field in fields()]
    short = [path.partition(".")[2] for path in whole if path.startswith(("stages.", "datasets."))]
    level = incomplete.count(".")
    return [*codes, *(p for p in (*whole, *short) if p.startswith(incomplete) and p.count(".") == level)]


def explain(
    what: Annotated[
        str, typer.Argument(help="The code of a diagnostic, a field or a kind.", autocompletion=complete)
    ] = "",
    format: AsFormat = Format.TEXT,
) -> None:
    """Explain a diagnostic (R0301), a field (grpo.batch), an engine's option (lora_rank), or the fields of a recipe."""
    if is_code(what):
        text = guarded(lambda: page(what))
        _show(text, format, lambda: {"page": text})
        return
    from compiler.commands import explain_field  # reads the JSON Schema

    if not (text := explain_field.page(what)):
        near = explain_field.near(what)
        fail(f"there is no field, kind or code `{what}`" + (f"; did you mean `{near}`?" if near else ""))
    _show(text, format, lambda: explain_field.as_json(what))


def _show(text: str, format: Format, told: Callable[[], dict[str, object]]) -> None:
    if format is Format.JSON:
        import json

        print(json.dumps({"format_version": 1, **told()}, indent=1, ensure_ascii=False))
    elif sys.stdout.isatty():
        from rich.console import Console  # only a terminal pays for it
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, end="")
