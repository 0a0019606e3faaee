#!/usr/bin/env bash
# delivery · speed · benchmark. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/speed.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.benchmark \
  --export outputs/delivery/int8/export \
  --data outputs/delivery/data/validation.jsonl \
  --batch_sizes 1 2 4 \
  --warmup 1 \
  --repeats 5 \
  --threads 4 \
  --to "$RECIPE_OUT/result"
