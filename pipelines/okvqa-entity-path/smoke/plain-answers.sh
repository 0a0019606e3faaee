#!/usr/bin/env bash
# okvqa-entity-path/smoke · plain-answers · predict. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/smoke/plain-answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.predict \
  --model outputs/okvqa-entity-path/smoke/plain-merged/model \
  --dtype float32 \
  --attention sdpa \
  --data outputs/okvqa-entity-path/smoke/data/validation.jsonl \
  --classes outputs/okvqa-entity-path/smoke/data/classes.json \
  --parse none \
  --batch 4 \
  --beams 1 \
  --returned 1 \
  --length_penalty 1.0 \
  --max_new_tokens 8 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
