#!/usr/bin/env bash
# okvqa-entity-path/gemma · paths · synthesize. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/gemma/paths.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.synthesize \
  --model .recipe/models/LLM-Research--gemma-3-12b-it \
  --dtype bfloat16 \
  --attention sdpa \
  --predictions outputs/okvqa-entity-path/gemma/beams/predictions.jsonl \
  --data outputs/okvqa-entity-path/gemma/data/train.jsonl \
  --held_out outputs/okvqa-entity-path/gemma/data/validation.jsonl \
  --config pipelines/okvqa-entity-path/gemma/paths.synthesize.json \
  --to "$RECIPE_OUT/result"
