# An adapter from SFT, which DPO goes on in and is compared with; then another that starts beside it.
swift sft --model Qwen/Qwen2.5-7B-Instruct --dataset data/lessons.jsonl --lora_rank 16 --output_dir output/sft

NPROC_PER_NODE=2 swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-7B-Instruct \
  --adapters output/sft/checkpoint-100 --ref_adapters output/sft/checkpoint-100 \
  --dataset data/pairs.jsonl --val_dataset data/held-out.jsonl \
  --lora_rank 16 --beta 0.2 --rpo_alpha 0.1 --loss_type sigmoid --label_smoothing 0.05 \
  --per_device_train_batch_size 1 --gradient_accumulation_steps 8 --learning_rate 5e-6 --max_length 4096 \
  --deepspeed zero2 --output_dir output/dpo

swift rlhf --model Qwen/Qwen2.5-7B-Instruct --ref_adapters output/sft --dataset data/pairs.jsonl --lora_rank 4 \
  --loss_type sigmoid bco_pair --loss_weights 0.8 0.2 --gradient_accumulation_steps 8

swift rlhf --rlhf_type kto --model Qwen/Qwen2.5-7B-Instruct --dataset data/judged.jsonl
swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-7B-Instruct --adapters output/nowhere --dataset data/q.jsonl
