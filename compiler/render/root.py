"""Files that belong to the repository and not to one pipeline."""

EXEC_NAME = "exec.sh"
WATCH_NAME = "watch.py"
PLUGIN = f"pipelines/{WATCH_NAME}"
WATCH = '''\
"""Written by `recipe compile`. Has a trainer's own settings compared with the plan before its first step.

ms-swift imports this file (`--external_plugins`); it adds the callback `recipe`, which changes nothing.
"""

from runners.watch.swift import register

register()
'''
EXEC = r"""#!/bin/sh
# Written by `recipe compile`. Finds the `recipe` program and runs it, so that a stage starts although no environment is
# activated: beside the program that started this script (`/path/to/bin/dvc repro`), in `.venv`, then on the PATH.
set -eu

parent_of() {
  if [ -r "/proc/$1/status" ]; then
    awk '/^PPid:/ {print $2}' "/proc/$1/status"
  else
    ps -o ppid= -p "$1" | tr -d ' '
  fi
}

interpreter_of() {
  if [ -r "/proc/$1/cmdline" ]; then
    tr '\0' '\n' <"/proc/$1/cmdline" | head -n 1
  else
    ps -o args= -p "$1" | cut -d ' ' -f 1
  fi
}

process=$$
for _ in 1 2 3 4; do
  process=$(parent_of "$process" 2>/dev/null) || break
  [ "${process:-0}" -gt 1 ] || break
  case $(interpreter_of "$process" 2>/dev/null) in
    /*) folder=$(dirname -- "$(interpreter_of "$process")") ;;
    *) continue ;;
  esac
  if [ -x "$folder/recipe" ]; then
    exec "$folder/recipe" "$@"
  fi
done
if [ -x .venv/bin/recipe ]; then
  exec .venv/bin/recipe "$@"
fi
if command -v recipe >/dev/null 2>&1; then
  exec recipe "$@"
fi
echo "the program \`recipe\` was not found: run \`make setup\`, or activate the environment it is installed in" >&2
exit 2
"""
ROOT_FILES = {EXEC_NAME: EXEC, WATCH_NAME: WATCH}
"""Name below `pipelines/` → text."""
