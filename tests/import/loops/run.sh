#!/bin/bash
# Two learning rates, each with two ranks.
BASE=Qwen/Qwen2-VL-2B-Instruct
export CUDA_VISIBLE_DEVICES=0
for lr in 1e-4 5e-5; do
  for r in 8 16; do
    echo "rank $r"
    swift sft --model $BASE --dataset data/train.jsonl --lora_rank $r --learning_rate $lr --output_dir out/$lr-$r > log.$r
  done
done
for seed in $(seq 3); do
  swift sft --model $BASE --dataset data/train.jsonl --seed $seed
done
