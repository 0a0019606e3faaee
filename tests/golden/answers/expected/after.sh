#!/usr/bin/env bash
# answers · after · predict. Written by `recipe compile recipes/answers.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/answers/after.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict \
  --model outputs/answers/merged/model \
  --dtype bfloat16 \
  --attention sdpa \
  --max_pixels 1003520 \
  --min_pixels 3136 \
  --data outputs/answers/data/validation.jsonl \
  --classes outputs/answers/data/classes.json \
  --parse label \
  --batch 1 \
  --beams 1 \
  --returned 1 \
  --length_penalty 1.0 \
  --max_new_tokens 64 \
  --max_length 512 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
