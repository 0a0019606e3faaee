#!/usr/bin/env bash
# dense · found · predict. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/found.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/dense/finder/student \
  --data outputs/dense/boxes/validation.jsonl \
  --classes outputs/dense/boxes/classes.json \
  --batch 1 \
  --to "$RECIPE_OUT/result"
