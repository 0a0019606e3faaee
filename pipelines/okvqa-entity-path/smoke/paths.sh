#!/usr/bin/env bash
# okvqa-entity-path/smoke · paths · synthesize. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/smoke/paths.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.synthesize \
  --model outputs/okvqa-entity-path/smoke/warm/model \
  --dtype float32 \
  --attention sdpa \
  --predictions outputs/okvqa-entity-path/smoke/beams/predictions.jsonl \
  --data outputs/okvqa-entity-path/smoke/data/train.jsonl \
  --held_out outputs/okvqa-entity-path/smoke/data/validation.jsonl \
  --config pipelines/okvqa-entity-path/smoke/paths.synthesize.json \
  --work "$RECIPE_OUT/kept/paths.jsonl" \
  --to "$RECIPE_OUT/result"
