"""Values of options: the text of a command line, or a value of a recipe, as the engine will see it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from schema.signature.names import near
from schema.signature.problem import Kind
from schema.signature.recorded import Option, Signature
from schema.synonyms import VALUES

_TRUE, _FALSE = {"yes", "true", "t", "y", "1"}, {"no", "false", "f", "n", "0"}
_TYPES = {
    "bool": "true or false",
    "on_off": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "path": "a path",
    "json": "a map",
    "flag": "nothing, its presence says it",
    "comma_list": "texts, joined by commas",
    "on_off_list": "true and false, joined by commas",
}


class Unfit(ValueError):
    """A value that an option does not take: `kind` of the problem, `reason` in words, `help` for the edit."""

    def __init__(self, kind: Kind, reason: str, help: str = "") -> None:
        super().__init__(reason)
        self.kind, self.reason, self.help = kind, reason, help


def from_text(option: Option, text: str) -> Any:
    """One value as the engine's parser reads it.

    Raises:
        Unfit: when the parser refuses it, or takes it for what nobody means.
    """
    match option.type:
        case "choice":
            return _choice(option, text)
        case "bool":
            return _truth(option, text, _TRUE, _FALSE)
        case "on_off":
            return _truth(option, text, _TRUE | {"on"}, _FALSE | {"off"})
        case "comma_list":
            return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]
        case "on_off_list":
            return [_truth(option, part, _TRUE | {"on"}, _FALSE | {"off"}) for part in text.split(",")]
        case "int" | "float":
            return _number(option, text)
        case "truthy":
            return bool(text)
        case "json":
            return _json(option, text)
        case "unsupported":
            raise Unfit("impossible", f"`{option.name}` cannot be given on a command line", "leave it out")
    return text


def _choice(option: Option, text: str) -> Any:
    for choice in option.choices or ():
        if str(choice) == text:
            return choice
    raise Unfit("choice", f"`{option.name}` does not take `{text}`", _one_of(option, text))


def _one_of(option: Option, text: str) -> str:
    choices = [str(choice) for choice in option.choices or () if choice is not None]
    close = near(text, choices) or [known for known in choices if known == VALUES.get(text)]
    listed = ", ".join(f"`{choice}`" for choice in choices[:12]) + (", …" if len(choices) > 12 else "")
    return (f"did you mean `{close[0]}`? " if close else "") + f"It is one of {listed}"


def _truth(option: Option, text: str, true: set[str], false: set[str]) -> bool:
    if text.lower() in true | false:
        return text.lower() in true
    raise _wrong(option, text)


def _wrong(option: Option, value: Any) -> Unfit:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return Unfit("value", f"`{option.name}` is {_TYPES[option.type]}, and `{shown}` is not")


def _number(option: Option, text: str) -> int | float:
    try:
        value = int(text) if option.type == "int" else float(text)
    except ValueError:
        raise _wrong(option, text) from None
    if not math.isfinite(value):
        raise Unfit("number", f"`{option.name}` is `{text}`, which is no finite number", "write a finite number")
    return value


def _json(option: Option, text: str) -> Any:
    """A map where the text is one; else a path or a name, which the engine looks up."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text, parse_constant=lambda name: _refuse_constant(option, name))
    except json.JSONDecodeError as error:
        place = f"character {error.pos + 1}: {error.msg}"
        raise Unfit("json", f"`{option.name}` is no well-formed JSON ({place})", "mend the JSON") from None


def _refuse_constant(option: Option, name: str) -> None:
    raise Unfit("number", f"`{option.name}` holds `{name}`, which is no finite number", "write a finite number")


def to_text(option: Option, value: Any) -> str:
    """A value of a recipe as the text of one argument.

    Raises:
        Unfit: for a value that is of another shape than the option.
    """
    if value is None:
        return _null(option)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number_text(option, value)
    if isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and option.type == "json"):
        if option.type == "unsupported":
            return from_text(option, "{}")  # type: ignore[no-any-return]  # raises
        if option.type != "json":
            raise Unfit("value", f"`{option.name}` takes no map, it is {_shape(option)}")
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, (list, tuple)):
        raise Unfit("value", f"`{option.name}` takes one value, not a list", f"write one value: {_shape(option)}")
    return str(value)


def _shape(option: Option) -> str:
    return "one of its choices" if option.type == "choice" else _TYPES.get(option.type, "a text")


def _null(option: Option) -> str:
    if option.choices is not None and None in option.choices:
        return "None"
    reason = f"`{option.name}` has no value: the engine would read the text `None`"
    raise Unfit("null", reason, "leave the option out to get the engine's default")


def _number_text(option: Option, value: int | float) -> str:
    if not math.isfinite(value):
        raise Unfit("number", f"`{option.name}` is no finite number", "write a finite number")
    if option.type == "int" and isinstance(value, float) and value.is_integer():
        raise Unfit("value", f"`{option.name}` is a whole number, and `{value}` has a point", f"write `{int(value)}`")
    return repr(value)


def texts(option: Option, value: Any) -> list[str]:
    """The arguments that a value of a recipe becomes, before their flag.

    Raises:
        Unfit: as `to_text`, and for an empty list, which no command line can say.
    """
    if not option.many:
        return [to_text(option, value)]
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        reason = f"`{option.name}` is an empty list, which cannot be written on a command line"
        raise Unfit("impossible", reason, "leave it out")
    return [to_text(option, item) for item in values]


def typed(option: Option, value: Any) -> Any:
    """A value of a recipe as the engine sees it, so that equal values in other clothes compare equal.

    Raises:
        Unfit: for a value that the option does not take.
    """
    if option.type == "flag":
        return _presence(option, value)
    items = list(value) if option.many and isinstance(value, (list, tuple)) else [value]
    read = [_from_value(option, text, item) for text, item in zip(texts(option, value), items, strict=True)]
    return read if option.many else read[0]


def _from_value(option: Option, text: str, value: Any) -> Any:
    if option.type == "bool" and isinstance(value, (int, float)) and not isinstance(value, bool):
        raise _wrong(option, value)
    if option.type in ("int", "float") and isinstance(value, bool):
        raise _wrong(option, value)
    if option.type == "choice" and isinstance(value, bool):
        raise _choice_is_text(option, value, text)
    return from_text(option, text)


def _choice_is_text(option: Option, value: bool, text: str) -> Unfit:
    return Unfit("choice", f"`{option.name}` does not take `{text}`", _one_of(option, str(value)))


def _presence(option: Option, value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in _TRUE | _FALSE):
        return value if isinstance(value, bool) else value.lower() in _TRUE
    if value is None:
        _null(option)
    raise Unfit("value", f"`{option.name}` is true or false, and `{value}` is not")


def resolve(signature: Signature, name: str, value: Any) -> Any:
    """The value of an option as the engine sees it, for an identity: two spellings of one thing give equal results.

    Raises:
        LookupError: when the command has no option of that name.
        ValueError: when the option does not take the value.
    """
    found = signature.find(name)
    if found is None:
        raise LookupError(f"{' '.join(signature.program)} has no option `{name}`")
    option, negative = found
    if not negative:
        return typed(option, value)
    if value not in (True, None, ""):
        raise Unfit("value", f"`{name}` takes no value", f"write `{option.name}: {value}`")
    return False


def arguments(signature: Signature, name: str, value: Any) -> tuple[str, ...]:
    """The arguments that give an option its value.

    >>> from schema.signature.recorded import load
    >>> arguments(load("ms-swift", "sft"), "system", "-- be brief")
    ('--system=-- be brief',)

    Raises:
        LookupError, ValueError: as `resolve`; also for a list with a value that begins with `-`, which cannot be given.
    """
    found = signature.find(name)
    if found is None:
        raise LookupError(f"{' '.join(signature.program)} has no option `{name}`")
    option, negative = found
    resolved = resolve(signature, name, value)
    if option.type == "flag":
        return _flag(option, resolved)
    values = ["false"] if negative else texts(option, value)
    if not any(text.startswith("-") for text in values):
        return (option.flag, *values)
    if len(values) > 1:
        reason = f"a value of `{option.name}` begins with `-` and is read as an option"
        raise Unfit("dash", reason, "give that value alone, or another name")
    return (f"{option.flag}={values[0]}",)


def _flag(option: Option, present: bool) -> tuple[str, ...]:
    if present:
        return (option.flag,)
    return option.negative[:1]
