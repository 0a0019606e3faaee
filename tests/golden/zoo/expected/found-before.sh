#!/usr/bin/env bash
# zoo · found-before · retrieve. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/found-before.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.pairs \
  --embeddings outputs/zoo/before/embeddings \
  --metrics similarity alignment uniformity recall \
  --at 1 5 10 \
  --to "$RECIPE_OUT/result"
