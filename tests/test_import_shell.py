"""Words of a script are those that a shell makes of them; what is hostile ends in reports, in bounded time."""

import contextlib
import json
import random
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from compiling import project, recipe
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from importing import CASES, accounted, imported, source_of

from compiler.importing import Imported
from compiler.importing.script import read_script
from schema.signature import load

BASH = shutil.which("bash") or pytest.fail("these tests compare with bash, which is not here")
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Against bash

LETTERS = st.text(st.sampled_from("ab1 -=/.,:#'\"$\\{}!;&|()<>\té\n"), max_size=8)
NAMES = st.sampled_from(["A", "B", "C"])


def piece(text, how):
    """A text as a piece of a word."""
    if how == "single" and "'" not in text:
        return f"'{text}'"
    if how == "double":
        return '"' + "".join("\\" + c if c in '"\\$`' else c for c in text) + '"'
    return "".join(c if c == "\n" else "\\" + c for c in text).replace("\n", "'\n'")


PIECES = st.one_of(
    st.builds(piece, LETTERS, st.sampled_from(["single", "double", "escaped"])),
    st.builds("${}''".format, NAMES),
    st.builds("${{{}}}".format, NAMES),
    st.builds('"${}"'.format, NAMES),
    st.builds(
        "${{{}{}{}}}".format, NAMES, st.sampled_from([":-", "-", ":+", "+"]), st.sampled_from(["", "x", "'y z'", "$A"])
    ),
    st.builds('"${{{}:-{}}}"'.format, NAMES, st.sampled_from(["", "x y", "$B"])),
    st.sampled_from(["abc", "x=1", "--flag", "1e-4", "\\\n", "%", "a,b", "@"]),
)
WORDS = st.builds("".join, st.lists(PIECES, min_size=1, max_size=4))
VALUES = st.one_of(LETTERS.map(shlex.quote), st.sampled_from(["", "one", "'two words'", "' lead'", '"$A"']))
COMMANDS = st.tuples(
    st.lists(st.tuples(NAMES, VALUES), max_size=3),
    st.lists(WORDS, min_size=1, max_size=5),
    st.sampled_from([" ", "  ", " \\\n  ", "\t"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(COMMANDS, min_size=1, max_size=8))
def test_words_are_those_of_bash(commands):
    text = ""
    for assignments, words, blank in commands:
        text += "".join(f"{name}={value}\n" for name, value in assignments)
        text += blank.join(["show", *words]) + " # a comment 'that opens\n"
    shell = "A= B= C=\nset -f\nshow() { printf '%s\\0' \"$@\" $'\\1'; }\n" + text
    ran = subprocess.run([BASH, "-c", shell], capture_output=True, check=False, env={"LC_ALL": "C.UTF-8"})
    theirs = [command.split("\0")[:-1] for command in ran.stdout.decode().split("\1\0")[:-1]]
    script = read_script("A= B= C=\n" + text, "s.sh")
    assert [word.odd for command in script.commands for word in command.words if word.odd] == []
    ours = [[word.text for word in command.words[1:]] for command in script.commands]
    # printf with no arguments but the mark shows the mark alone
    assert ours == theirs


SUMS = st.recursive(
    st.sampled_from(["0", "1", "7", "64", "A", "$B", "${C}"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner), st.builds("-({})".format, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(SUMS, min_size=1, max_size=8))
def test_sums_are_those_of_bash(sums):
    values = "A=16 B=-3; C=$A\n"
    shell = values + "".join(f'(echo "$(({text}))") 2>&- || echo odd\n' for text in sums)
    ran = subprocess.run([BASH, "-c", shell], capture_output=True, text=True, check=False)
    words = [
        command.words[1] for command in read_script(values + "".join(f"x $(({s}))\n" for s in sums), "s.sh").commands
    ]
    assert ["odd" if word.odd else word.text for word in words] == ran.stdout.split()


@pytest.mark.parametrize(
    "text", ["2 ** 3", "1 << 9", "A ? 1 : 2", "A = 3", "A++", "1.5 * 2", "010", "UNSET + 1", "W + 1", ""]
)
def test_sums_that_are_not_read_are_told(text):
    [command] = read_script(f"A=1 W='a b'\nx $(({text}))", "s.sh").commands
    assert command.words[1].odd in ("arithmetic that is not read here", "`UNSET` has no value in this script")


def test_forms_that_scripts_have_are_read():
    """A default of the script's own argument, a comment in a line that goes on, and a function before the launch."""
    script = read_script(
        "function setup() { mkdir -p out; }\nfunction other {\n  (true)\n}\nRATE=${1:-1e-4}\n"
        "swift sft `# the rate` --learning_rate $RATE \\\n  `# the end` --seed ${2:-7} ${3}",
        "s.sh",
    )
    [command] = script.commands
    words = [word.text for word in command.words if not word.odd]
    assert words == ["swift", "sft", "--learning_rate", "1e-4", "--seed", "7"]
    assert [word.odd for word in command.words if word.odd] == ["`$3`, which is known only when the script runs"]
    assert [report.message.split()[1:3] for report in script.reports] == [["a", "function"]] * 2


# Random options of the engine, in random clothes

SFT = load("ms-swift", "sft")
APART = {"model", "dataset", "val_dataset", "model_type", "task_type", "use_hf", "adapters"}
TRL = load("trl", "dpo")
APART_OF_TRL = {"model_name_or_path", "train_dataset", "eval_dataset", "adapter", "reference_adapter"}
HEADS = {
    SFT: ("swift sft", "--model Qwen/Qwen2-VL-2B-Instruct", "--dataset data/a.jsonl"),
    TRL: ("trl dpo", "--model_name_or_path Qwen/Qwen2-VL-2B-Instruct", "--dataset_name data/a.jsonl"),
}


def options_of(signature):
    apart = APART | APART_OF_TRL
    return sorted(n for n, o in signature.options.items() if o.type != "unsupported" and n not in apart)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn", "Cf", "Zl", "Zp"]), min_size=1, max_size=12
)
JSON = st.dictionaries(TEXT, st.one_of(st.integers(-5, 5), st.booleans(), TEXT), max_size=2).map(json.dumps)


def values_of(option):
    if option.type == "choice":
        one = st.sampled_from([str(choice) for choice in option.choices if choice is not None])
    elif option.type in ("bool", "on_off"):
        one = st.sampled_from(["true", "false", "True", "False"])
    elif option.type == "int":
        one = st.integers(0, 5000).map(str)
    elif option.type == "float":
        one = st.one_of(
            st.integers(0, 50).map(str), st.floats(1e-8, 1e4).map(repr), st.sampled_from(["1e-4", "0.10", "2E-5"])
        )
    elif option.type == "json":
        one = JSON
    else:
        one = st.one_of(
            TEXT.filter(lambda text: not text.startswith("-")), st.sampled_from(["a b", "q_proj", "$HOME", "it's"])
        )
    return st.lists(one, min_size=1, max_size=3 if option.many else 1)


@st.composite
def dressed(draw, signature):
    """Options with values, and a script that says them."""
    names = draw(st.lists(st.sampled_from(options_of(signature)), unique=True, min_size=1, max_size=9))
    chosen = [(name, draw(values_of(signature.options[name]))) for name in names]
    lines, said = [], []
    for number, (name, texts) in enumerate(chosen):
        flag = draw(st.sampled_from([signature.options[name].flag, signature.options[name].flag.replace("_", "-")]))
        flag = flag if flag in signature.spellings else signature.options[name].flag
        words = [shlex.quote(text) for text in texts]
        how = draw(st.sampled_from(["plain", "equals", "variable", "double"]))
        if how == "variable":
            lines += [f"V{number}_{place}={word}" for place, word in enumerate(words)]
            words = [f'"$V{number}_{place}"' for place in range(len(words))]
        elif how == "double":
            words = [piece(text, "double") for text in texts]
        said.append(f"{flag}={words[0]}" if how == "equals" and len(words) == 1 else " ".join([flag, *words]))
    program, *needed = HEADS[signature]
    said = draw(st.permutations([*needed, *said]))
    joint = draw(st.sampled_from([" ", " \\\n  ", " \\\n"]))
    return chosen, "\n".join([*lines, joint.join([program, *said])])


@QUIET
@given(dressed(SFT))
@example(
    ([("lora_alpha", ["1.5"])], "swift sft --model Qwen/Qwen2-VL-2B-Instruct --dataset data/a.jsonl --lora_alpha 1.5")
)
def test_every_option_is_compiled_with_its_value_or_listed(tmp_path, case):
    chosen, text = case
    found = imported(tmp_path, text)
    accounted(found, chosen)


@QUIET
@given(dressed(TRL))
def test_every_option_of_trl_is_compiled_with_its_value_or_listed(tmp_path, case):
    chosen, text = case
    accounted(imported(tmp_path, text), chosen)


# Hostile texts


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [*"ab$(){}[]'\"`\\\n;&|<>#=~*!- ", "swift sft ", "--model x/y ", "for ", "done ", "case ", "esac "]
        ),
        max_size=60,
    ).map("".join)
)
@example("$" * 3 + "{" * 40)
@example("case x in a) b;; esac")
@example("A=(")
@example("<<")
@example("f()")
@example("\\")
def test_no_text_breaks_the_reader(text):
    script = read_script(text, "s.sh")
    lines = text.split("\n")
    for report in script.reports:
        assert 1 <= report.place.line <= len(lines)
        assert 1 <= report.place.column <= len(lines[report.place.line - 1]) + 1


def test_no_damage_to_a_script_ends_in_a_traceback(tmp_path):
    project(tmp_path)
    chance = random.Random(7)
    sources = [source_of(case) for case in CASES]
    marks = [
        "'",
        '"',
        "$(",
        "`",
        "\\",
        "\n",
        ";",
        "|",
        "&&",
        "(",
        "{",
        "}",
        "\0",
        "\x1b",
        "\ufeff",
        "é",
        "${",
        "--",
        "=",
        "#5",
        "../",
        "-1",
        "1e999",
        "9" * 30,
    ]
    for number in range(60):
        source = chance.choice(sources)
        text = source.read_text("utf-8")
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(text))
            text = text[:place] + chance.choice([*marks, ""]) + text[place + chance.randrange(6) :]
        (tmp_path / source.name).write_text(text, encoding="utf-8", newline="")
        engine = chance.choice(["trl", "ms-swift"])
        code, _, err = recipe(tmp_path, "import", source.name, "--name", f"r{number}", "--engine", engine)
        assert code in (0, 1), err
        assert "internal error" not in err, (text, err)
        if code == 0:
            assert recipe(tmp_path, "validate", f"recipes/r{number}.yaml")[0] == 0, text


@pytest.mark.parametrize(
    "text",
    [
        "A=aaaaaaaaaaaaaaaa\n" + "A=$A$A\n" * 60 + "swift sft --model $A\n",
        "${A:-" * 8_000,
        '"${A:-' * 8_000,
        "(" * 30_000,
        "if x; then\n" * 8_000,
        "swift sft " + "--a " * 30_000,
        "a=(" + "x " * 30_000 + ")\n" + 'swift sft "${a[@]}"\n' * 3,
        "x | " * 15_000,
        "<<A " * 10_000 + "\n",
        "'" * 30_000,
    ],
    ids=range(10),
)
def test_time_is_bounded(text, tmp_path):
    started = time.process_time()
    with contextlib.chdir(tmp_path):
        found = imported(tmp_path, text)
    assert not isinstance(found, Imported)
    assert time.process_time() - started < 5


def test_a_large_or_strange_file_is_a_finding(tmp_path):
    for name, content in {"large.sh": b"#" * (2 << 20), "bytes.sh": b"\xff\xfe", "deep.yaml": b"[" * 100_000}.items():
        (tmp_path / name).write_bytes(content)
        assert recipe(tmp_path, "import", name)[0] == 1
    (tmp_path / "deep.json").write_text("[" * 30_000)
    Path(tmp_path / "run.sh").write_text(
        "deepspeed train.py --model Qwen/Qwen2.5-0.5B-Instruct --deepspeed deep.json\n"
    )
    assert recipe(tmp_path, "import", "run.sh")[0] == 0
