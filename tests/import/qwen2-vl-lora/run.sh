#!/usr/bin/env bash
# LoRA of Qwen2-VL on pictures, as ms-swift 3 was called; then merge, then answers.
set -euo pipefail

MODEL=Qwen/Qwen2-VL-2B-Instruct
DATA=${DATA:-data/animals/train.jsonl}
OUT=output/animals
export MAX_PIXELS=1003520

NPROC_PER_NODE=2 \
CUDA_VISIBLE_DEVICES=0,1 \
swift sft \
  --model $MODEL \
  --train_type lora \
  --dataset "$DATA#2000" \
  --val_dataset data/animals/val.jsonl \
  --torch_dtype bfloat16 \
  --num_train_epochs 2 \
  --per_device_train_batch_size 1 \
  --per_device_eval_batch_size 1 \
  --gradient_accumulation_steps 8 \
  --learning_rate 1e-4 \
  --lora_rank 16 --lora_alpha 32 \
  --target_modules all-linear \
  --freeze_vit true \
  --eval_steps 100 --save_steps 100 --save_total_limit 2 \
  --logging_steps 5 \
  --max_length 4096 \
  --warmup_ratio 0.05 \
  --dataloader_num_workers 4 \
  --deepspeed zero2 \
  --output_dir "$OUT" 2>&1 | tee "train-$(date +%F).log"

swift export \
  --adapters "$OUT/v0-20250101-120000/checkpoint-500" \
  --merge_lora true

CUDA_VISIBLE_DEVICES=0 swift infer \
  --model "$OUT/v0-20250101-120000/checkpoint-500-merged" \
  --val_dataset data/animals/val.jsonl \
  --max_new_tokens 64 \
  --temperature 0 \
  --max_batch_size 8
