#!/usr/bin/env bash
# distill-lstm · alone · distill. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/alone.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

[ -n "${RECIPE_TRAINED:-}" ] || python -m runners.distill.train \
  --config pipelines/distill-lstm/alone.distill.json \
  --data outputs/distill-lstm/data/train.jsonl \
  --validation outputs/distill-lstm/data/validation.jsonl \
  --classes outputs/distill-lstm/data/classes.json \
  --logging_steps 1000000000 \
  --logging_strategy epoch \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill-lstm/alone.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
