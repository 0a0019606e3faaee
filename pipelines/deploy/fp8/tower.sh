#!/usr/bin/env bash
# deploy/fp8 · tower · export. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/fp8/tower.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.export \
  --model .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --family qwen2_vl \
  --part vision \
  --size 448 448 \
  --data outputs/deploy/fp8/data/validation.jsonl \
  --rows 32 \
  --classes outputs/deploy/fp8/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"
