#!/usr/bin/env bash
# okvqa/llama-smoke · scores-before · evaluate. Written by `recipe compile recipes/okvqa.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa/llama-smoke/scores-before.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.agreement \
  --predictions outputs/okvqa/llama-smoke/before/predictions.jsonl \
  --to "$RECIPE_OUT/result"
