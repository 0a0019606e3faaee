#!/usr/bin/env bash
# deploy/vllm · int8 · quantize. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/vllm/int8.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.quantize \
  --export outputs/deploy/vllm/exported/export \
  --method int8-static \
  --calibration outputs/deploy/vllm/data/train.jsonl \
  --samples 256 \
  --check outputs/deploy/vllm/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
