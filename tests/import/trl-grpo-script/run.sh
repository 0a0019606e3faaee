# A script on TRL's GRPOConfig, and TRL's own DPO.
accelerate launch --config_file ds.yaml --num_processes 4 grpo_vlm.py \
  --model_name_or_path Qwen/Qwen2.5-VL-3B-Instruct \
  --dataset_name data/questions.jsonl \
  --reward_funcs brief.brief accuracy_reward think_format_reward \
  --learning_rate 1e-5 --dtype bfloat16 \
  --max_prompt_length 2048 --max_completion_length 1024 \
  --num_generations 8 --per_device_train_batch_size 8 --gradient_accumulation_steps 2 \
  --use_peft --lora_r 32 --lora_target_modules q_proj v_proj \
  --use_vllm --vllm_mode colocate --vllm_gpu_memory_utilization 0.3 \
  --beta 0.01 --log_completions --output_dir out/grpo
trl dpo --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset_name data/pairs.jsonl --num_train_epochs 2 \
  --beta 0.3 --precompute_ref_log_probs --output_dir out/dpo
