#!/usr/bin/env bash
# distill-yolov8 · answers · predict. Written by `recipe compile recipes/distill-yolov8.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-yolov8/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.answer \
  --student outputs/distill-yolov8/small/student \
  --data outputs/distill-yolov8/data/validation.jsonl \
  --classes outputs/distill-yolov8/data/classes.json \
  --batch 16 \
  --to "$RECIPE_OUT/result"
