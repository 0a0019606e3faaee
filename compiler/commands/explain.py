"""recipe explain R0101, recipe explain grpo.batch"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from schema.console import AsFormat, Format, fail, guarded
from schema.explain import is_code, known_codes, page


def complete(incomplete: str) -> list[str]:
    """Paths of fields, or codes, for shell completion: as many levels as are begun, and one more."""
    from schema.fields import fields

    codes = [code for code in known_codes() if incomplete and code.startswith(incomplete.upper())]
    level = incomplete.count(".")
    return [*codes, *(f.path for f in fields() if f.path.startswith(incomplete) and f.path.count(".") <= level)]


def explain(
    what: Annotated[
        str, typer.Argument(help="The code of a diagnostic, a field or a kind.", autocompletion=complete)
    ] = "",
    format: AsFormat = Format.TEXT,
) -> None:
    """Explain a diagnostic (R0301), a field (grpo.batch), an engine's option (lora_rank), or the fields of a recipe."""
    if is_code(what):
        text = guarded(lambda: page(what))
        _show(text, format, {"page": text})
        return
    from compiler.commands import explain_field  # reads the JSON Schema

    if not (text := explain_field.page(what)):
        near = explain_field.near(what)
        fail(f"there is no field, kind or code `{what}`" + (f"; did you mean `{near}`?" if near else ""))
    _show(text, format, explain_field.as_json(what))


def _show(text: str, format: Format, told: dict[str, object]) -> None:
    if format is Format.JSON:
        import json

        print(json.dumps({"format_version": 1, **told}, indent=1, ensure_ascii=False))
    elif sys.stdout.isatty():
        from rich.console import Console  # only a terminal pays for it
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, end="")
