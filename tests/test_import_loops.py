"""Loops over words that are known are read as the shell runs them; of any other nothing is taken over."""

import subprocess

import pytest

from compiler.importing.script import TURNS, read_script

LOOPS = [
    'for x in a b; do run "$x"; done',
    "for x in a b\ndo\n  run $x\n  run $x-2\ndone",
    'for x in 1 2; do for y in "$x 3" 4; do run "$x" "$y"; done; done',
    'W="a b"; for x in $W "$W"; do run "$x"; done; run $x',
    'L=(a "b c"); for x in "${L[@]}"; do run "$x"; done',
    "N=0; for x in a b; do N=$((N + 1)); run $x $N; done; run $N",
    'for x in "" a; do [ -n "$x" ] && run "$x"; done',
    "for x in a; do export A=$x; run; done && run $x",
    "for x in a b; do run $x & done",
]


@pytest.mark.parametrize("text", LOOPS)
def test_the_commands_are_those_that_the_shell_runs(text):
    ran = subprocess.run(
        ["bash", "-c", f'run() {{ printf "%s\\0" run "$@"; printf "\\1\\0"; }}\n{text.replace("& done", "; done")}'],
        capture_output=True,
        check=True,
    )
    theirs = [command.split("\0")[:-1] for command in ran.stdout.decode().split("\1\0")[:-1]]
    script = read_script(text, "s.sh")
    assert [[word.text for word in command.words] for command in script.commands] == theirs
    assert {report.message for report in script.reports} <= {"by the condition before it, this does not run"}


@pytest.mark.parametrize(
    "text",
    [
        "for x in $(seq 3); do run $x; done",
        "for x in *.yaml; do run $x; done",
        "for x in {1..3}; do run $x; done",
        'for x in "$@"; do run $x; done',
        "for x; do run $x; done",
        "for x in; do run $x; done",
        "for x in $UNKNOWN; do run $x; done",
        "for ((i = 0; i < 3; i++)); do run $i; done",
        "for x in a b; do run $x; break; done",
        "for x in a b; do [ -f $x ] && continue; run $x; done",
        "for x in a b; do if [ -f $x ]; then exit; fi; run $x; done",
        "for x in 1 2; do run --seed $x; done",
        'for x in 1 2; do run --data_seed="${x}"; done',
        "while run x; do run y; done",
        "echo a | for x in a b; do run $x; done",
        "[ -f a ] && for x in a b; do run $x; done",
        f"for x in {'a ' * (TURNS + 1)}; do run $x; done",
    ],
)
def test_any_other_loop_is_left_and_told(text):
    script = read_script(f"{text}\nlast $x", "s.sh")
    assert [word.text for command in script.commands for word in command.words][-2:-1] == ["last"]
    assert "run" not in [command.words[0].text for command in script.commands]
    assert any("run" in report.raw for report in script.reports)


def test_what_each_turn_says_is_told_once():
    script = read_script("for x in a b c; do run $x > log; done", "s.sh")
    assert [report.raw for report in script.reports] == ["> log"]


@pytest.mark.parametrize("text", LOOPS)
def test_a_script_that_ends_anywhere_is_read(text):
    for end in range(len(text)):
        read_script(text[:end], "s.sh")
        read_script(text[:end] + "\n", "s.sh")
