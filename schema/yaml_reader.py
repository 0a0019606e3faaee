"""YAML events → a tree with places. No tag is ever constructed, and nothing here recurses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import yaml

from schema.diagnostics import Diagnostic, Span
from schema.tree import Entry, MapNode, Node, ScalarNode, SeqNode
from schema.yaml_core import resolve
from schema.yaml_errors import SYNTAX, TAG, directive, syntax_error

try:
    from yaml.cyaml import CSafeLoader as _Parser
except ImportError:  # PyYAML without libyaml: the same events, more slowly
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

MAX_DEPTH = 64  # maps and lists inside each other
MAX_ALIASED = 10_000  # nodes that come from aliases, so that a short text cannot grow without bound
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}
_ITEM = re.compile(r"\n *- ")
_TAG_TEXT = re.compile(r"(?:&\S+\s+)?(![^\s,\[\]{}]*)")
_UNFIT = re.compile("[\0\ud800-\udfff]")


class _Stop(Exception):
    """Reading cannot go on."""

    def __init__(self, code: str, message: str, help_: str, span: Span) -> None:
        self.diagnostic = Diagnostic(code, message, help_, (span,))


@dataclass(slots=True)
class _Open:
    """A map or a list that is being read. `size` and `height` count what its aliases stand for, too."""

    event: Any
    anchor: str | None
    is_map: bool
    at_key: bool = True
    key: str | None = None  # None while the value of an unusable key is read: it is dropped
    key_span: Span | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    last: Span | None = None
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    size: int
    height: int


@dataclass(slots=True)
class Reading:
    """What came of a text: the tree (None: nothing usable), what is wrong, and the lines of quoted and block texts."""

    root: Node | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    text_lines: set[int] = field(default_factory=set)
    stopped_at: int | None = None  # the line, from 1, where the YAML stopped making sense


def read(text: str, file: str) -> Reading:
    """Read one YAML text; everything that is wrong is in `diagnostics`."""
    return _Reader(text, file).read()


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.reading = Reading()
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored | None] = {}  # None: still open
        self.aliased = 0
        self.documents = 0

    def read(self) -> Reading:
        parser = _Parser(self.text)
        handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            while (event := parser.get_event()) is not None:
                if handler := handlers.get(type(event)):
                    handler(event)
        except _Stop as stop:
            self._stop(stop.diagnostic)
        except yaml.MarkedYAMLError as error:
            self._stop(syntax_error(error, self.text, self.file))
        return self.reading

    def _stop(self, diagnostic: Diagnostic) -> None:
        self.reading.root = None
        self.reading.stopped_at = diagnostic.spans[0].line
        self.reading.diagnostics.append(diagnostic)

    def _report(self, code: str, message: str, help_: str, *spans: Span) -> None:
        self.reading.diagnostics.append(Diagnostic(code, message, help_, spans))

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            span = self._span(event)
            raise _Stop("R0018", "a second document begins here", "keep one recipe in a file; remove the `---`", span)
        if event.version or event.tags:
            self.reading.diagnostics.append(directive(event.start_mark, self.text, self.file))

    # Scalars

    def _scalar(self, event: Any) -> None:
        span = self._span(event)
        if span.line != span.end_line:
            span = self._text_over_lines(event, span)
        frame = self.stack[-1] if self.stack else None
        if frame and frame.is_map and frame.at_key and event.tag is None and event.anchor is None:
            self._key(frame, event.value, span, plain=event.implicit[0])
            return
        plain = bool(event.implicit[0])
        if event.style == '"' and _UNFIT.search(event.value):
            fix = "remove the escape, such as `\\0`"
            self._report("R0006", "a text holds a character that no program can be given", fix, span)
        value = self._value(event, span, plain)
        self._add(ScalarNode(span, value, event.value, plain), event, span)

    def _value(self, event: Any, span: Span, plain: bool) -> Any:
        if event.tag is None and not plain:
            return event.value
        try:
            if event.tag is None:
                return resolve(event.value)
            return self._tagged(event)
        except ValueError as error:
            self._report("R0016", str(error), "write another number, or put a text in quotes", span)
            return None

    def _tagged(self, event: Any) -> Any:
        kind = event.tag.removeprefix(_CORE) if event.tag.startswith(_CORE) else ""
        if kind == "str":
            return event.value
        if kind not in _SCALAR_TAGS:
            self._bad_tag(event, kind)
            return event.value
        value = resolve(event.value)
        if type(value) not in _SCALAR_TAGS[kind]:
            self._bad_tag(event, kind)
        return float(value) if kind == "float" and isinstance(value, int) else value

    def _bad_tag(self, event: Any, kind: str) -> None:
        mark = event.start_mark
        match = _TAG_TEXT.match(self.text, mark.index)
        start, end = match.span(1) if match else (mark.index, mark.index + 1)
        column = mark.column + 1 + start - mark.index
        span = Span(self.file, mark.line + 1, column, mark.line + 1, column + end - start)
        tag = self.text[start:end] if match else event.tag
        if kind in ("str", "map", "seq", *_SCALAR_TAGS):
            self._report(TAG, f"the tag `{tag}` stands before something else", "remove the tag", span)
        else:
            self._report(TAG, f"the tag `{tag}` is not allowed", "remove the tag: a recipe holds plain data only", span)

    def _text_over_lines(self, event: Any, span: Span) -> Span:
        """The span without the empty lines that libyaml counts to a block text; its lines are remembered."""
        body = self.text[event.start_mark.index : event.end_mark.index].rstrip()
        breaks = body.count("\n")
        column = len(body.rpartition("\n")[2]) + (1 if breaks else span.column)
        whole = Span(self.file, span.line, span.column, span.line + breaks, column)
        if event.style:
            self.reading.text_lines.update(range(span.line + 1, span.line + breaks + 1))
        elif _ITEM.search(body):
            fix = "give every `-` of one list the same indentation, or put the text in quotes"
            self._report(SYNTAX, "a `-` inside a text over several lines is no list item", fix, whole)
        return whole

    # Keys and children

    def _key(self, frame: _Open, name: str, span: Span, *, plain: bool) -> None:
        frame.at_key = False
        frame.key, frame.key_span = None, span
        if plain and name == "<<":
            self._report("R0011", "`<<` does not merge maps in a recipe", "share fields with `extends:`", span)
        elif not name:
            self._report("R0017", "a key is empty", "write a name before the `:`", span)
        elif earlier := frame.entries.get(name):
            first = earlier.key_span
            label = Span(first.file, first.line, first.column, first.end_line, first.end_column, "it stands here first")
            self._report("R0010", f"the key `{_short(name)}` stands twice", "remove one of the two", span, label)
        else:
            frame.key = name

    def _complete(self, node: Node, size: int, height: int) -> None:
        """Hand a finished node to what encloses it."""
        if not self.stack:
            self.reading.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        if not frame.is_map:
            frame.items.append(node)
        elif frame.at_key:
            self._key_node(frame, node)
        else:
            frame.at_key = True
            if frame.key is not None and frame.key_span is not None:
                frame.entries[frame.key] = Entry(frame.key_span, node)

    def _key_node(self, frame: _Open, node: Node) -> None:
        if isinstance(node, ScalarNode):
            self._key(frame, node.raw, node.span, plain=node.plain)
            return
        frame.at_key, frame.key, frame.key_span = False, None, None
        kind = "map" if isinstance(node, MapNode) else "list"
        fix = "write a text as the key; put it in quotes when it begins with `{` or `[`"
        self._report("R0017", f"a {kind} cannot be a key", fix, node.span)

    def _add(self, node: Node, event: Any, span: Span) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(node, 1, 0)
        if self.stack:
            self.stack[-1].last = span
        self._complete(node, 1, 0)

    # Mappings and lists

    def _open(self, event: Any) -> None:
        is_map = type(event) is yaml.MappingStartEvent
        if event.tag is not None and event.tag != f"{_CORE}{'map' if is_map else 'seq'}":
            self._bad_tag(event, event.tag.removeprefix(_CORE))
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(event, event.anchor, is_map))
        self._check_depth(len(self.stack), event)

    def _close(self, event: Any) -> None:
        frame = self.stack.pop()
        start, end = frame.event.start_mark, event.end_mark
        line, column = end.line + 1, end.column + 1
        if not frame.event.flow_style:  # libyaml ends a block where the next token stands
            last = frame.last or frame.key_span
            line, column = (last.end_line, last.end_column) if last else (start.line + 1, start.column + 1)
        span = Span(self.file, start.line + 1, start.column + 1, line, column)
        node: Node = MapNode(span, frame.entries) if frame.is_map else SeqNode(span, tuple(frame.items))
        if frame.anchor is not None:
            self.anchors[frame.anchor] = _Anchored(node, frame.size, frame.height)
        if self.stack:
            self.stack[-1].last = span
        self._complete(node, frame.size, frame.height)

    def _check_depth(self, depth: int, event: Any) -> None:
        if depth > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} maps and lists inside each other"
            raise _Stop("R0015", message, "write it flatter", self._span(event))

    # Aliases

    def _alias(self, event: Any) -> None:
        span = self._span(event)
        anchored = self._anchored(event.anchor, span)
        if self.stack:
            self.stack[-1].last = span
        if anchored is None:
            self._complete(ScalarNode(span, None, f"*{event.anchor}", True), 1, 0)
            return
        self.aliased += anchored.size
        if self.aliased > MAX_ALIASED:
            message = f"the aliases of this file stand for more than {MAX_ALIASED:,} values"
            raise _Stop("R0014", message, "write the values out, or share them with `extends:`", span)
        self._check_depth(len(self.stack) + anchored.height, event)
        node = anchored.node
        if self.stack and self.stack[-1].at_key and isinstance(node, ScalarNode):
            node = ScalarNode(span, node.value, node.raw, node.plain)  # a key stands where it is used
        self._complete(node, anchored.size, anchored.height)

    def _anchored(self, name: str, span: Span) -> _Anchored | None:
        if (anchored := self.anchors.get(name)) is not None:
            return anchored
        if name in self.anchors:
            self._report("R0013", f"`*{name}` stands for something that contains it", "write the value out", span)
            return None
        known = ", ".join(f"`*{n}`" for n, anchor in islice(self.anchors.items(), 5) if anchor)
        fix = (
            f"put the text in quotes, or write a value that exists, such as {known}"
            if known
            else "put the text in quotes"
        )
        self._report("R0013", f"`*{_short(name)}` stands for no value above", fix, span)
        return None


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:59] + "…"
