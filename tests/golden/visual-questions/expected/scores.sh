#!/usr/bin/env bash
# visual-questions · scores · evaluate. Written by `recipe compile recipes/visual-questions.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/visual-questions/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.agreement \
  --predictions outputs/visual-questions/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result"
