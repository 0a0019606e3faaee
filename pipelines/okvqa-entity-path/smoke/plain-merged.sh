#!/usr/bin/env bash
# okvqa-entity-path/smoke · plain-merged · merge. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/smoke/plain-merged.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

swift export \
  --model outputs/okvqa-entity-path/smoke/warm/model \
  --adapters outputs/okvqa-entity-path/smoke/plain/model \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --seed 42 \
  --merge_lora true \
  --use_chat_template true \
  --safe_serialization true \
  --max_shard_size 5GB \
  --exist_ok false \
  --tuner_type lora \
  --template_backend swift \
  --device_map cpu \
  --use_hf false \
  --load_args false \
  --output_dir "$RECIPE_OUT/merged"

python -m runners.collect model \
  --from "$RECIPE_OUT/merged" \
  --to "$RECIPE_OUT/result"
