"""transformers 5: a Trainer with its bar, evaluation each epoch, the best model loaded, and its own tables of metrics.

python made_by.py > log.txt 2>&1
"""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

torch.manual_seed(0)


class Sums(torch.utils.data.Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        ids = torch.randint(5, 100, (12,), generator=torch.Generator().manual_seed(i))
        return {"input_ids": ids, "attention_mask": torch.ones(12, dtype=torch.long), "labels": int(ids.sum() % 2)}


def measure(result):
    accuracy = (result.predictions.argmax(-1) == result.label_ids).mean()
    return {"accuracy": accuracy, "f1": accuracy / 2}


config = BertConfig(
    vocab_size=100,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
)
arguments = TrainingArguments(
    "checkpoints",
    num_train_epochs=3,
    per_device_train_batch_size=16,
    logging_steps=2,
    eval_strategy="epoch",
    save_strategy="epoch",
    load_best_model_at_end=True,
    report_to=[],
    log_level="info",
    use_cpu=True,
)
trainer = Trainer(
    BertForSequenceClassification(config),
    arguments,
    train_dataset=Sums(96),
    eval_dataset=Sums(32),
    compute_metrics=measure,
)
out = trainer.train()
print(out)
trainer.log_metrics("train", out.metrics)
evaluated = trainer.evaluate()
trainer.log_metrics("eval", evaluated)
print(trainer.predict(Sums(16)).metrics)
