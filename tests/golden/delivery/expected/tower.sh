#!/usr/bin/env bash
# delivery · tower · export. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/tower.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.export \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --family qwen2_vl \
  --part vision \
  --size 224 224 \
  --data outputs/delivery/data/validation.jsonl \
  --rows 32 \
  --classes outputs/delivery/data/classes.json \
  --formats onnx \
  --opset 20 \
  --tolerance 0.0001 \
  --to "$RECIPE_OUT/result"
