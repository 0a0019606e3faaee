#!/usr/bin/env bash
# classify-multilabel/smoke · answers · predict. Written by `recipe compile recipes/classify-multilabel.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify-multilabel/smoke/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/classify-multilabel/smoke/data

python -m runners.unanswered \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/classify-multilabel/smoke/data/test.jsonl \
  --classes outputs/classify-multilabel/smoke/data/classes.json \
  --every 1024 \
  --to "$RECIPE_OUT/rest.jsonl"

swift infer \
  --model outputs/classify-multilabel/smoke/train/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type seq_cls \
  --num_labels 4 \
  --problem_type multi_label_classification \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --val_dataset "$RECIPE_OUT/rest.jsonl" \
  --max_length 2048 \
  --truncation_strategy delete \
  --max_batch_size 32 \
  --write_batch_size 1024 \
  --seed 42 \
  --data_seed 42 \
  --infer_backend transformers \
  --stream false \
  --strict true \
  --val_dataset_shuffle false \
  --use_chat_template true \
  --template_backend swift \
  --remove_unused_columns true \
  --disable_auto_column_mapping false \
  --load_from_cache_file false \
  --repetition_penalty 1.0 \
  --num_beams 1 \
  --logprobs true \
  --merge_lora false \
  --use_hf false \
  --load_data_args false \
  --load_args false \
  --top_logprobs 4 \
  --result_path "$RECIPE_OUT/kept/raw.jsonl"

python -m runners.collect predictions \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/classify-multilabel/smoke/data/test.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/classify-multilabel/smoke/data/classes.json \
  --parse label
