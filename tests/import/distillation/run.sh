python train_qwen_vl_distillation.py \
  --task_id 42 --api_base_url https://train.example.com/api/tasks \
  --teacher_model Qwen/Qwen2.5-VL-7B-Instruct \
  --student_model_type resnet --student_model_size resnet50 \
  --train_data data/animals/train --val_data data/animals/val --num_classes 10 --image_size 224 \
  --epochs 100 --batch_size 32 --learning_rate 1e-4 --optimizer adamw --scheduler cosine --weight_decay 0.01 \
  --gradient_accumulation_steps 2 --max_grad_norm 1.0 --distillation_type hybrid --temperature 4.0 \
  --hard_label_weight 0.5 --soft_label_weight 0.5 --feature_loss_type mse --align_feature true \
  --task_type classification --output_dir ./out --turbo yes
