#!/usr/bin/env bash
# deploy/gptq · exported · export. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/gptq/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.export \
  --model outputs/deploy/gptq/train/model \
  --family qwen2_vl \
  --part whole \
  --size 224 224 \
  --data outputs/deploy/gptq/data/validation.jsonl \
  --rows 64 \
  --classes outputs/deploy/gptq/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"

python -m runners.tensorrt \
  --config pipelines/deploy/gptq/exported.tensorrt.json \
  --to "$RECIPE_OUT/result"
