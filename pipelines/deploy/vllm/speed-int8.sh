#!/usr/bin/env bash
# deploy/vllm · speed-int8 · benchmark. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/vllm/speed-int8.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.benchmark \
  --export outputs/deploy/vllm/int8/export \
  --data outputs/deploy/vllm/data/validation.jsonl \
  --batch_sizes 1 8 32 \
  --warmup 3 \
  --repeats 20 \
  --threads 4 \
  --to "$RECIPE_OUT/result"
