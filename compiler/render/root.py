"""Files that belong to the repository and not to one pipeline."""

EXEC_NAME = "exec.sh"
EXEC = r"""#!/bin/sh
# Written by `recipe compile`. Finds the `recipe` program and runs it, so that a stage starts although no environment is
# activated: beside the program that started this script (`/path/to/bin/dvc repro`), in `.venv`, then on the PATH.
set -eu
process=$$
for _ in 1 2 3 4; do
  process=$(ps -o ppid= -p "$process" 2>/dev/null | tr -d ' ') || process=$(awk '/^PPid/ {print $2}' "/proc/$process/status" 2>/dev/null) || break
  [ -n "$process" ] && [ "$process" -gt 1 ] || break
  interpreter=$(ps -o args= -p "$process" 2>/dev/null || tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null) || break
  folder=$(dirname -- "${interpreter%% *}")
  case $folder in
    /*) [ -x "$folder/recipe" ] && exec "$folder/recipe" "$@" ;;
  esac
done
[ -x .venv/bin/recipe ] && exec .venv/bin/recipe "$@"
command -v recipe >/dev/null 2>&1 && exec recipe "$@"
echo "the program \`recipe\` was not found: run \`make setup\`, or activate the environment it is installed in" >&2
exit 2
"""
