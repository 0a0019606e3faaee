#!/usr/bin/env bash
# distill-yolov8 · qat · quantize. Written by `recipe compile recipes/distill-yolov8.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-yolov8/qat.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=451584

python -m runners.quantize_aware \
  --student outputs/distill-yolov8/small/student \
  --data outputs/distill-yolov8/data/train.jsonl \
  --epochs 3.0 \
  --learning_rate 0.0001 \
  --batch 16 \
  --seed 42 \
  --check outputs/distill-yolov8/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
