"""PyTorch Ignite 0.5: its bar with a running average, its logger, and prints as in its examples; in a terminal.

script -qec "python made_by.py" /dev/null > log.txt
"""

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import ProgressBar
from ignite.metrics import Accuracy, Loss, RunningAverage
from ignite.utils import setup_logger

torch.manual_seed(0)
x = torch.randn(320, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32)
model = torch.nn.Linear(8, 2)
loss = torch.nn.CrossEntropyLoss()
trainer = create_supervised_trainer(model, torch.optim.SGD(model.parameters(), 0.1), loss)
trainer.logger = setup_logger("trainer")
evaluator = create_supervised_evaluator(model, metrics={"accuracy": Accuracy(), "nll": Loss(loss)})
RunningAverage(output_transform=lambda out: out).attach(trainer, "loss")
ProgressBar(persist=True).attach(trainer, metric_names="all")


@trainer.on(Events.EPOCH_COMPLETED)
def report(engine):
    evaluator.run(data)
    metrics = evaluator.state.metrics
    trainer.logger.info(
        f"Training Results - Epoch: {engine.state.epoch}  Avg accuracy: {metrics['accuracy']:.2f} "
        f"Avg loss: {metrics['nll']:.2f}"
    )
    print(f"Validation Results - Epoch[{engine.state.epoch}] {metrics}")
    print(f"Epoch[{engine.state.epoch}] Iteration[{engine.state.iteration}/30] Loss: {engine.state.output:.2f}")


trainer.run(data, max_epochs=3)
