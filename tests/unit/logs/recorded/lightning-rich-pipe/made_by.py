"""Lightning 2.6 with a RichProgressBar into a pipe: its last state alone, in a narrow line; fit, then test.

python made_by.py > log.txt 2>&1
"""

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from torch.utils.data import DataLoader, TensorDataset


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))

    def measure(self, batch):
        x, y = batch
        out = self.net(x)
        return torch.nn.functional.cross_entropy(out, y), (out.argmax(1) == y).float().mean()

    def training_step(self, batch, index):
        loss, acc = self.measure(batch)
        self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=True)
        self.log("train_acc", acc, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        loss, acc = self.measure(batch)
        self.log_dict({"val_loss": loss, "val/acc": acc}, prog_bar=True)

    def test_step(self, batch, index):
        loss, acc = self.measure(batch)
        self.log_dict({"test_loss": loss, "test/acc": acc})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


torch.manual_seed(0)
x = torch.randn(320, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
train = DataLoader(TensorDataset(x, y), 32)
held_out = DataLoader(TensorDataset(x[:96], y[:96]), 32)
trainer = lightning.Trainer(
    max_epochs=3,
    accelerator="cpu",
    logger=False,
    log_every_n_steps=2,
    callbacks=[
        RichProgressBar(),
        EarlyStopping("val_loss", verbose=True),
        ModelCheckpoint(dirpath="checkpoints", monitor="val_loss", verbose=True),
    ],
)
net = Net()
trainer.fit(net, train, held_out)
print(trainer.callback_metrics)
trainer.test(net, held_out)
