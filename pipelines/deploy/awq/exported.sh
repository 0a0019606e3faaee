#!/usr/bin/env bash
# deploy/awq · exported · export. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/awq/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.export \
  --model outputs/deploy/awq/train/model \
  --family qwen2_vl \
  --part whole \
  --size 224 224 \
  --data outputs/deploy/awq/data/validation.jsonl \
  --rows 64 \
  --classes outputs/deploy/awq/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"

python -m runners.tensorrt \
  --config pipelines/deploy/awq/exported.tensorrt.json \
  --to "$RECIPE_OUT/result"
