#!/usr/bin/env bash
# distill-yolov8/smoke · answers · predict. Written by `recipe compile recipes/distill-yolov8.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-yolov8/smoke/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.distill.answer \
  --student outputs/distill-yolov8/smoke/small/student \
  --data outputs/distill-yolov8/smoke/data/validation.jsonl \
  --classes outputs/distill-yolov8/smoke/data/classes.json \
  --batch 16 \
  --to "$RECIPE_OUT/result"
