# TRL's own command: the file's values, and those of the command line before them; then a trainer without a launcher.
trl sft --config sft.yaml --learning_rate 3e-4 --output_dir out/sft --num_train_epochs 2
CUDA_VISIBLE_DEVICES= python3 train.py --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --train_file data/b.jsonl --max_steps 5 --fp32_only
trl grpo --config nowhere.yaml
accelerate launch --num_processes 2 sft.py --config_path x --model out/nobody
deepspeed --include localhost:0,1
