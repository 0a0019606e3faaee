"""Bytes → text → tree: what is read, what is refused, and that nothing makes another exception."""

import json
import os

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schema import yaml_reader
from schema.diagnostics import RecipeError, Span
from schema.source import MAX_BYTES, MapNode, find, key_span, parse, read_source, scan, to_data, value_span

RECIPE = """\
# a comment
name: animals
stages:
  train:
    kind: sft
    optimizer: {learning_rate: 1e-4, schedule: cosine}
    epochs: 2
    system: |
      Be brief.

      Be kind.

  data: {kind: prepare, names: [a, "b"]}
"""


@pytest.fixture(params=["libyaml", "pure"])
def either_parser(request, monkeypatch):
    """PyYAML with libyaml and without: the same tree and the same codes."""
    if request.param == "pure":
        monkeypatch.setattr(yaml_reader, "_Parser", yaml.SafeLoader)


def codes(text):
    return [diagnostic.code for diagnostic in scan(text, "a.yaml").diagnostics]


def data(text):
    return to_data(parse(text, "a.yaml"))


def at(span):
    return span.line, span.column, span.end_line, span.end_column


# Values


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.5e+3", -1500.0),
        (".", "."),
        ("-", None),
        ("1e", "1e"),
        ("nan", "nan"),
        ("=", "="),
        ("9007199254740991", 2**53 - 1),
        ("'1'", "1"),
        ('"no"', "no"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ('!!int "1"', 1),
        ("!!bool true", True),
        ("!!null ''", None),
    ],
)
@pytest.mark.usefixtures("either_parser")
def test_core_profile(raw, value):
    got = data(f"a: {raw}\n")["a"] if raw != "-" else data("a: [ ~ ]")["a"][0]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("key", ["1", "2024", "1e5", "null", "~", "true", "'<<'", '"a b"', "é", "0x1", "&b c"])
def test_keys_are_their_text(key):
    assert list(data(f"{key}: 1")) == [key.strip("'\"").removeprefix("&b ")]


def test_alias_is_a_copy():
    assert data("a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]") == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": [[1, {"b": 2}]] * 2,
    }


def test_byte_order_mark(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    text = read_source(path, "a.yaml").text
    assert at(parse(text, "a.yaml").items["name"].key_span) == (1, 1, 1, 5)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(newline):
    tree = parse(f"a: 1{newline}# x{newline}b:{newline}  c: 2{newline}", "a.yaml")
    assert at(value_span(tree, ("b", "c"))) == (4, 6, 4, 7)


# Places


@pytest.mark.usefixtures("either_parser")
def test_places():
    tree = parse(RECIPE, "a.yaml")
    train = ("stages", "train")
    assert at(key_span(tree, train)) == (4, 3, 4, 8)
    assert at(key_span(tree, (*train, "optimizer", "learning_rate"))) == (6, 17, 6, 30)
    assert at(value_span(tree, (*train, "optimizer", "learning_rate"))) == (6, 32, 6, 36)
    assert at(value_span(tree, (*train, "optimizer"))) == (6, 16, 6, 55)
    assert at(value_span(tree, ("stages", "data", "names", 1))) == (13, 36, 13, 39)
    assert at(key_span(tree, ("stages", "data", "names", 1))) == (13, 36, 13, 39)


@pytest.mark.usefixtures("either_parser")
def test_a_block_ends_where_its_last_text_ends():
    tree = parse(RECIPE, "a.yaml")
    assert at(value_span(tree, ("stages", "train", "system"))) == (8, 13, 11, 15)
    assert at(value_span(tree, ("stages", "train"))) == (5, 5, 11, 15)


def test_place_of_what_is_missing():
    tree = parse(RECIPE, "a.yaml")
    assert at(value_span(tree, ("stages", "train", "model"))) == (4, 3, 4, 8)
    assert at(value_span(tree, ("stages", "train", "epochs", "x", 3))) == (7, 13, 7, 14)
    assert at(key_span(tree, ("stages", "train", "epochs", "x", 3))) == (7, 5, 7, 11)
    assert at(value_span(tree, ("models",))) == (2, 1, 2, 5)
    assert at(value_span(tree, ("stages", "data", "names", 9))) == (13, 32, 13, 40)
    assert find(tree, ("stages", "nothing", "below")) is None


def test_columns_count_characters():
    tree = parse('é中😀: {"ß": 😀x}', "a.yaml")
    assert at(value_span(tree, ("é中😀", "ß"))) == (1, 12, 1, 14)


def test_an_empty_value_stands_behind_its_key():
    assert at(value_span(parse("a:\nb: 1", "a.yaml"), ("a",))) == (1, 3, 1, 3)


# What is wrong with a text

BROKEN = {
    "R0003": ["", "\n\n", "# only\n", "---\n", "\ufeff"],
    "R0006": ["a: \x07", 'a: "\\0"', "a: x\u2028y", "a: \u202ex", "a: \x7f", "a: \x85"],
    "R0007": [
        "a: b: c", "a: [1", "a: {b: 1", "a: 'x", 'a: "x', "a: @x", "a: - b", "a: 'x' y", "a\nb: 1", "a: 1\n  b: 2",
        "a:\n  b: 1\n c: 2", 'a: "\\d"', "a: | x\n  y", "a: ]", "a: *", "%YAML 1.1\n---\na: 1", "a:\n  - b\n    - c",
        f"{'k' * 1100}: 1", "a: 1\n...\nb: 1", "a: [b}",
    ],
    "R0008": ["a:\n\tb: 1", "a:\n  b: 1\n\tc: 2", "a: [1,\n\t2]", "a:\n \tb",
              "a: 1\n\t\nb: 2"],
    "R0009": ["<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n", "a: 1\n=======\n", ">>>>>>> b"],
    "R0010": ["a: 1\na: 2", "{a: 1, a: 2}", "1: a\n'1': b", "b: {c: 1, 'c': 2}"],
    "R0011": ["<<: {a: 1}", "a: &x {b: 1}\nc: {<<: *x}"],
    "R0012": ["a: !!python/object:os.system x", "a: !!python/none", "a: !x {b: 1}", "a: [!y [1]]", "a: !!int x",
              "a: !!set {b}", "!!python/dict {a: 1}", "a: !!map [1]", "a: ! x", "a: !!binary aGk=",
              "a: !!timestamp 2001-01-01", "a: !q!x 1"],
    "R0013": ["a: *x", "a: &x [*x]", "a: &x {b: {c: *x}}"],
    "R0014": ["a: &a [1, 2, 3]\n" + "\n".join(f"k{i}: &k{i} [*{p}, *{p}, *{p}, *{p}]" for i, p in enumerate(
        ["a", "k0", "k1", "k2", "k3", "k4", "k5", "k6"]))],
    "R0015": ["a: " + "[" * 200, "a: " + "{a: " * 200, "- " * 200,
              "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40],
    "R0016": ["a: .nan", "a: -.INF", "a: 1e999", "a: 9007199254740992",
              "a: " + "9" * 10_000, "a: 0xffffffffffffffffff"],
    "R0017": ["[a]: 1", "{a: 1}: 1", "? [a, b]\n: 1", "? \n: 1", "'': 1"],
    "R0018": ["a: 1\n---\nb: 1", "--- {a: 1}\n---\n"],
    "R0019": ["- a", "a", "[1]", "'x'", "1", "a:1"],
}  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in BROKEN.items() for text in texts])
@pytest.mark.usefixtures("either_parser")
def test_broken(code, text):
    found = scan(text, "a.yaml").diagnostics
    assert {diagnostic.code for diagnostic in found} == {code}
    assert all(diagnostic.spans and diagnostic.message for diagnostic in found)
    with pytest.raises(RecipeError):
        parse(text, "a.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  x\n  \ty\n",
        "a: 'x\n\ty'\n",
        "---\na: 1",
        "a: 1\n...\n",
        "a: x-\n  y",
        "a: |\n  <<<<<<<\n  =======\n",
        "a: <<",
        "a: 'it''s'",
        "x-a: &a 1\nb: *a",
        'a: "\\u2028\\x07"',
    ],
)
@pytest.mark.usefixtures("either_parser")
def test_allowed(text):
    assert codes(text) == []


def test_everything_at_once():
    text = "a: .nan\nb: !x 1\na: 2\n<<: {c: 1}\nd: *e\nf: [\n"
    assert codes(text) == ["R0016", "R0012", "R0010", "R0011", "R0013", "R0007"]


def test_a_tree_beside_what_is_wrong():
    parsed = scan("a: 1\na: 2\nb: !x y", "a.yaml")
    assert parsed.root is not None
    assert to_data(parsed.root) == {"a": 1, "b": "y"}


def test_a_duplicate_key_shows_both_places():
    (found,) = scan("a: 1\nb: 2\na: 3", "a.yaml").diagnostics
    assert [at(span) for span in found.spans] == [(3, 1, 3, 2), (1, 1, 1, 2)]


def test_a_conflict_shows_its_markers():
    (found,) = scan("a: 1\n<<<<<<< x\nb\n=======\nc\n>>>>>>> y\n", "a.yaml").diagnostics
    assert [span.line for span in found.spans] == [2, 4, 6]


# Files


def refused(path, display="recipes/a.yaml"):
    with pytest.raises(RecipeError) as caught:
        read_source(path, display)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a: \xff\n", "R0005"),
        ("a: é".encode("latin1"), "R0005"),
        ("a: 1".encode("utf-16"), "R0005"),
        (b"\x7fELF\x00\x01", "R0005"),
        (b"a" * (MAX_BYTES + 1), "R0004"),
    ],
)
def test_refused_bytes(tmp_path, content, code):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    assert refused(path).code == code


def test_a_bad_byte_has_its_place(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("é: 1\nü: \u4e2d".encode() + b"\xe9")
    assert at(refused(path).spans[0]) == (2, 5, 2, 6)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    assert refused(path).code == "R0004"


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "animals-lora.yaml").touch()
    assert refused(tmp_path / "recipes/animal-lora.yaml", "recipes/animal-lora.yaml").help == (
        "did you mean recipes/animals-lora.yaml?"
    )
    assert "recipes/animals-lora.yaml" in refused(tmp_path / "animals-lora", "animals-lora").help
    assert refused(tmp_path / "no/a.yaml", "no/a.yaml").help == "the folder no does not exist"


def test_the_place_that_asked(tmp_path):
    where = Span("b.yaml", 3, 4, 3, 9)
    with pytest.raises(RecipeError) as caught:
        read_source(tmp_path / "a.yaml", "a.yaml", where)
    assert caught.value.diagnostics[0].spans == (where,)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a.yaml/b.yaml", ""])
def test_odd_names(tmp_path, name):
    (tmp_path / "a.yaml").touch()
    assert refused(tmp_path / name, name).code in ("R0001", "R0002")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    assert refused(tmp_path / "a.yaml").code == "R0002"


# Anything whatever

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé中😀-_ ", min_size=1), inner, max_size=4),
    max_leaves=20,
)
# Pieces that mean something to a YAML parser reach further than random characters.
PIECES = st.sampled_from(
    [*"[]{}:,-?!&*#|>'\"%@`\\~\t\n\r. abé😀\x00\x85\u2028\ufeff\ud800", ": ", "- ", "\n  ", "\n    ", "a: ", "<<", "*a",
     "&a ", "!!", "!!int ", "---", "...", "\n---\n", "1e5", ".nan", "0x", "<<<<<<<", "=======", "%YAML 1.1\n",
     "\\x", "\\u"]
)  # fmt: skip


def reads_or_refuses(text):
    try:
        root = parse(text, "a.yaml")
    except RecipeError as error:
        assert error.diagnostics
        assert all(span.line > 0 and span.column > 0 for d in error.diagnostics for span in d.spans)
    else:
        assert isinstance(root, MapNode)
        json.dumps(to_data(root), allow_nan=False).encode()


@given(st.lists(PIECES, max_size=40).map("".join))
@example("? ")
@example("a: !<")
@settings(max_examples=1500, deadline=None)
def test_any_text(text):
    reads_or_refuses(text)


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_without_libyaml(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_reader, "_Parser", yaml.SafeLoader)
        reads_or_refuses(text)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=500, deadline=None)
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        reads_or_refuses(read_source(path, "any.yaml").text)
    except RecipeError as error:
        assert error.diagnostics


class Quoting(yaml.SafeDumper):
    """YAML 1.2 as PyYAML cannot write it alone: texts in quotes, floats as JSON writes them."""

    def ignore_aliases(self, data):
        return True


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
Quoting.add_representer(float, lambda dumper, f: dumper.represent_scalar("tag:yaml.org,2002:float", json.dumps(f)))


@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_data_comes_back(value, flow):
    written = yaml.dump(value, Dumper=Quoting, allow_unicode=True, default_flow_style=flow, width=10_000)
    assert data(written) == value


@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=5), st.sampled_from([None, 1, 4]))
@settings(max_examples=300, deadline=None)
def test_json_is_yaml(value, indent):
    assert data(json.dumps(value, ensure_ascii=False, indent=indent)) == value
