#!/usr/bin/env bash
# embed/multi-gpu · found · retrieve. Written by `recipe compile recipes/embed.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/embed/multi-gpu/found.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.scores.pairs \
  --embeddings outputs/embed/multi-gpu/vectors/embeddings \
  --metrics similarity alignment uniformity recall \
  --at 1 5 10 \
  --to "$RECIPE_OUT/result"
