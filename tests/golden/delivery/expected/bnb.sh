#!/usr/bin/env bash
# delivery · bnb · quantize. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/bnb.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

swift export \
  --model outputs/delivery/merged/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type seq_cls \
  --num_labels 10 \
  --problem_type single_label_classification \
  --quant_method bnb \
  --quant_bits 8 \
  --torch_dtype bfloat16 \
  --attn_impl sdpa \
  --seed 42 \
  --data_seed 42 \
  --use_chat_template true \
  --template_backend swift \
  --safe_serialization true \
  --max_shard_size 5GB \
  --exist_ok false \
  --merge_lora false \
  --dataset_shuffle false \
  --load_from_cache_file false \
  --use_hf false \
  --load_args false \
  --output_dir "$RECIPE_OUT/quantized"

python -m runners.quantized \
  --before outputs/delivery/merged/model \
  --from "$RECIPE_OUT/quantized" \
  --to "$RECIPE_OUT/result"
