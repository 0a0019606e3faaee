#!/usr/bin/env bash
# distill-yolov8 · exported · export. Written by `recipe compile recipes/distill-yolov8.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-yolov8/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=451584

python -m runners.export \
  --model outputs/distill-yolov8/small/student \
  --family student \
  --part whole \
  --data outputs/distill-yolov8/data/validation.jsonl \
  --rows 32 \
  --classes outputs/distill-yolov8/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.01 \
  --to "$RECIPE_OUT/result"
