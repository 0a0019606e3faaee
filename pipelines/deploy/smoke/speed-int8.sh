#!/usr/bin/env bash
# deploy/smoke · speed-int8 · benchmark. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/smoke/speed-int8.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/deploy/smoke/data

python -m runners.benchmark \
  --export outputs/deploy/smoke/int8/export \
  --data outputs/deploy/smoke/data/validation.jsonl \
  --batch_sizes 1 8 \
  --warmup 3 \
  --repeats 10 \
  --threads 1 \
  --to "$RECIPE_OUT/result"
