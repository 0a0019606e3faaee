#!/usr/bin/env bash
# okvqa/gemma · after · predict. Written by `recipe compile recipes/okvqa.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa/gemma/after.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict \
  --model outputs/okvqa/gemma/merged/model \
  --dtype bfloat16 \
  --attention sdpa \
  --image_folder outputs/okvqa/gemma/data \
  --data outputs/okvqa/gemma/data/validation.jsonl \
  --classes outputs/okvqa/gemma/data/classes.json \
  --parse none \
  --batch 16 \
  --beams 3 \
  --returned 3 \
  --length_penalty 1.0 \
  --max_new_tokens 16 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
