"""How words of a script become commands: where one ends, what a loop or condition holds, what assigns a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from compiler.importing.words import Operator, Token, Word

ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_CLOSERS = {
    **dict.fromkeys(("for", "while", "until", "select"), "done"),
    **{"if": "fi", "case": "esac", "{": "}", "(": ")", "[[": "]]"},
}
_KEYWORDS = frozenset({"then", "do", "else", "elif", "!", "{", "("})
SEPARATORS = frozenset({"\n", ";", "&", "&&", "||", "|", "|&", "(", ")", ";;", ";&", ";;&"})
EXPORTERS = frozenset({"export", "declare", "typeset", "readonly", "local"})


def assigns(word: Word) -> re.Match[str] | None:
    """The beginning of a word that is an assignment: its name, and `+` where it adds."""
    first = word.parts[0] if word.parts else None
    return ASSIGNMENT.match(first.text) if first and first.kind == "text" and not first.quoted else None


def only_assignments(words: Sequence[Word]) -> bool:
    """Whether a command is nothing but assignments, which then stay."""
    return all(assigns(word) for word in words)


def ends_command(tokens: Sequence[Token], place: int) -> bool:
    """Whether a line break ends a command, and does not just follow `&&`."""
    before = tokens[place - 1] if place else None
    joined = isinstance(before, Operator) and before.text in ("&&", "||", "|", "|&")
    return tokens[place].text == "\n" and not joined  # type: ignore[union-attr]


def whole_commands(tokens: list[Token]) -> list[Token]:
    """Tokens without the last command, which is not there to its end."""
    end = len(tokens)
    while end and not (isinstance(tokens[end - 1], Operator) and tokens[end - 1].text in ("\n", ";")):  # type: ignore[union-attr]
        end -= 1
    return tokens[:end]


def end_of_command(tokens: Sequence[Token], place: int) -> int:
    """The place behind a plain command."""
    place += 1
    while place < len(tokens):
        token = tokens[place]
        if isinstance(token, Operator) and token.text in SEPARATORS:
            break
        place += 1
    return place


def opens_compound(tokens: Sequence[Token], place: int) -> str:
    """The name of a loop, condition, group or function that begins here; empty for a plain command."""
    token = tokens[place]
    if isinstance(token, Operator):
        return "a subshell" if token.text == "(" else ""
    if token.bare in _CLOSERS:
        return f"`{token.bare}`"
    if token.bare == "function":
        return "a function"
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    return "a function" if isinstance(following, Operator) and following.text == "(" else ""


def for_loop(tokens: Sequence[Token]) -> tuple[str, Sequence[Word], Sequence[Token]] | None:
    """Variable, words and body of `for NAME in WORDS; do BODY; done`; None of any other loop, or one that may be left early."""
    place = next((n for n, token in enumerate(tokens) if isinstance(token, Operator)), 0)
    head = [token for token in tokens[:place] if isinstance(token, Word)]
    while place < len(tokens) and isinstance(tokens[place], Operator) and tokens[place].text in ("\n", ";"):  # type: ignore[union-attr]
        place += 1
    if place == len(tokens) or len(head) < 4 or (head[0].bare, head[2].bare) != ("for", "in"):
        return None
    if not re.fullmatch(r"[A-Za-z_]\w*", head[1].raw):
        return None
    body, last = tokens[place + 1 : -1], tokens[-1]
    bare = [token.bare if isinstance(token, Word) else None for token in (tokens[place], last, *body)]
    whole = bare[:2] == ["do", "done"] and not {"break", "continue", "exit", "return"} & set(bare)
    return (head[1].raw, head[3:], body) if whole else None


def varies_seed(name: str, body: Sequence[Token]) -> bool:
    """Whether the variable of a loop is the seed of its launches, of which a recipe has one."""
    seeds = re.compile(rf"--(data[_-])?seed[ =]\"?\$\{{?{name}\b")
    raws = [token.raw if isinstance(token, Word) else token.text for token in body]
    return any(seeds.match(f"{raw} {after}") for raw, after in zip(raws, [*raws[1:], ""], strict=True))


def end_of_compound(tokens: Sequence[Token], place: int) -> int:
    """The place behind a compound, or the end of the script where it is never closed."""
    waiting: list[str] = []
    start, command = place, True
    if opens_compound(tokens, place) == "a function":
        while place < len(tokens) and not (isinstance(tokens[place], Word) and tokens[place].bare == "{"):  # type: ignore[union-attr]
            place += 1
    while place < len(tokens):
        token = tokens[place]
        word = token.text if isinstance(token, Operator) else token.bare or ""
        if waiting and word == waiting[-1] and (command or word in (")", "]]")):
            waiting.pop()
        elif (command or word == "(") and word in _CLOSERS and not (word == "(" and waiting[-1:] == ["esac"]):
            waiting.append(_CLOSERS[word])
        place += 1
        if not waiting and place > start:
            return place
        command = word in _KEYWORDS or (isinstance(token, Operator) and word in SEPARATORS)
        command = command or (waiting[-1:] == ["esac"] and word == "in")
    return place


def assigned(tokens: Sequence[Token]) -> Iterator[str]:
    """The variables that tokens may set."""
    last = ""
    for token in tokens:
        if isinstance(token, Word):
            if match := assigns(token):
                yield match[1]
            elif last in ("for", "select", "read", *EXPORTERS) and re.fullmatch(r"\w+", token.raw):
                yield token.raw
            last = token.raw
