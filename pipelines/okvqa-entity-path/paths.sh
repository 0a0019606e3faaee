#!/usr/bin/env bash
# okvqa-entity-path · paths · synthesize. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/paths.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.synthesize \
  --model .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --dtype bfloat16 \
  --attention sdpa \
  --max_pixels 1003520 \
  --image_folder outputs/okvqa-entity-path/data \
  --predictions outputs/okvqa-entity-path/beams/predictions.jsonl \
  --data outputs/okvqa-entity-path/data/train.jsonl \
  --held_out outputs/okvqa-entity-path/data/validation.jsonl \
  --config pipelines/okvqa-entity-path/paths.synthesize.json \
  --work "$RECIPE_OUT/kept/paths.jsonl" \
  --to "$RECIPE_OUT/result"
