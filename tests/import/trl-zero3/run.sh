# TRL's own command with a configuration of its own, then a module of TRL behind accelerate and one behind torchrun.
trl sft --accelerate_config zero3 --num_processes 4 --model_name_or_path Qwen/Qwen2.5-7B-Instruct --dataset_name data/chat.jsonl \
  --use_peft --lora_r 32 --lora_alpha 64 --lora_target_modules q_proj k_proj v_proj --dtype bfloat16 \
  --learning_rate 2.0e-4 --warmup_steps 0.03 --max_length 4096 --per_device_train_batch_size 2 \
  --gradient_accumulation_steps 4 --num_train_epochs 2 --eval_strategy no --logging_steps 1 --save_steps 250 \
  --packing --no_shuffle_dataset --optim paged_adamw_8bit --adam_beta2 0.95 --output_dir out/chat
accelerate launch --num_processes 2 --mixed_precision bf16 --use_deepspeed --zero_stage 2 --gradient_clipping 0.5 \
  --gradient_accumulation_steps 2 --module trl.scripts.grpo --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct \
  --dataset_name data/sums.jsonl --reward_funcs think_format_reward --num_generations 4 --beta 0.02 --loss_type grpo \
  --gradient_accumulation_steps 8 --model_init_kwargs '{"dtype": "bfloat16"}' --use_vllm --vllm_server_host 10.0.0.5
torchrun --nproc_per_node=2 -m trl.scripts.sft --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct \
  --dataset_name data/chat.jsonl --load_in_4bit --use_peft --max_length 512 --torch_dtype auto
trl kto --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset_name data/judged.jsonl
trl vllm-serve --model Qwen/Qwen2.5-0.5B-Instruct
