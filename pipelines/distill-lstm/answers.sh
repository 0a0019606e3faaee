#!/usr/bin/env bash
# distill-lstm · answers · predict. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/distill-lstm/small/student \
  --data outputs/distill-lstm/data/validation.jsonl \
  --classes outputs/distill-lstm/data/classes.json \
  --batch 8 \
  --to "$RECIPE_OUT/result"
