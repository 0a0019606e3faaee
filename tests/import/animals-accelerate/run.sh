#!/bin/bash
# A hand-written trainer on transformers, behind accelerate with DeepSpeed ZeRO-3.
export CUDA_VISIBLE_DEVICES=0,1
export WANDB_MODE=offline
accelerate launch --config_file accelerate_zero3.yaml --main_process_port 29501 \
    train.py \
    --model_name_or_path "Qwen/Qwen2-VL-2B-Instruct" \
    --data_dir data/animals/train_data \
    --output_dir ./output/qwen2vl-animals \
    --per_device_train_batch_size 1 \
    --per_device_eval_batch_size 1 \
    --gradient_accumulation_steps 8 \
    --num_train_epochs 2 \
    --learning_rate 1e-4 \
    --lr_scheduler_type cosine \
    --warmup_ratio 0.03 \
    --weight_decay 0.01 \
    --bf16 True \
    --gradient_checkpointing True \
    --lora_r 16 --lora_alpha 32 --lora_dropout 0.05 \
    --lora_target_modules q_proj v_proj \
    --save_strategy steps --save_steps 3000 --save_total_limit 3 \
    --logging_steps 10 \
    --report_to tensorboard \
    --use_image_cache
