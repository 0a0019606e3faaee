#!/usr/bin/env bash
# delivery · merged · merge. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/merged.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

swift export \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --adapters outputs/delivery/train/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type seq_cls \
  --num_labels 10 \
  --problem_type single_label_classification \
  --torch_dtype bfloat16 \
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
