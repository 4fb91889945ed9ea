"""Random logs made of what real programs print: metrics, bars, prose, crashes, and a terminal's own codes."""

from collections.abc import Callable
from random import Random

from . import crashes

METRICS = (
    "epoch={i} step={i} train_loss={f} val_accuracy={f}",
    "Epoch {i}/{i} - loss: {f} - accuracy: {f} - val_loss: {f}",
    "{i}/{i} - {i}s - {i}ms/step - loss: {f} - acc: {f}",
    "{{'loss': {f}, 'grad_norm': {f}, 'learning_rate': {f}, 'epoch': {f}}}",
    '{{"step": {i}, "loss": {f}, "nested": {{"val": {{"acc": {f}}}}}, "note": "x"}}',
    "Train Epoch: {i} [{i}/{i} ({i}%)]\tLoss: {f}",
    "Epoch: [{i}]  [ {i}/{i}]  eta: 0:0{i}:12  lr: {f}  loss: {f} ({f})  acc1: {f} ({f})  time: {f}  max mem: {i}",
    "Train: {i} [{i}/{i} ({i}%)]  Loss: {f} ({f})  Time: {f}s, {f}/s  LR: {f}  Data: {f}",
    "iter {i}: loss {f}, time {f}ms, mfu {f}%",
    "step {i}: train loss {f}, val loss {f}",
    "[{i}]\ttrain-rmse:{f}\ttest-rmse:{f}",
    "[{i}]\ttraining's binary_logloss: {f}\tvalid_1's auc: {f}",
    "{i}:\tlearn: {f}\ttest: {f}\tbest: {f} ({i})\ttotal: {i}ms\tremaining: {f}s",
    "Iteration {i}, loss = {f}",
    "[CV {i}/{i}] END ....C={i}, gamma={f};, score=({f}, {f}) total time=   {f}s",
    "{i:>3}  {i:>6}  {f:>9}  {f:>9}  {f}",
    "E    #       LOSS TOK2VEC  LOSS TAGGER  TAG_ACC  SCORE\n---  ------  ------------  -----------  -------  ------\n"
    "  {i}     {i}          {f}       {f}    {f}    {f}",
    "epoch,loss,val_loss\n{i},{f},{f}\n{i},{f},nan",
    "      Iter       Train Loss   Remaining Time \n         {i}           {f}            {f}s",
    "| rollout/           |          |\n|    ep_rew_mean     | {f}     |\n----------------------------------",
    "┃ Metric ┃ Value ┃\n┡━━━━━━━━╇━━━━━━━┩\n│ val_loss │ {f} │",
    "10-12 03:04:05 - mmengine - INFO - Epoch(train) [{i}][{i}/{i}]  lr: {f}  eta: 0:00:10  time: {f}  loss: {f}",
    "[11/23 15:00:48 d2.utils.events]:  eta: 0:0{i}:10  iter: {i}  total_loss: {f}  loss_cls: {f}  lr: {f}",
    "2024-01-02 03:04:05 | INFO | train | epoch {i:03d} | loss {f} | ppl {f} | wps {f} | num_updates {i} | lr {f}",
    " iteration {i:>8}/ {i} | consumed samples: {i} | lm loss: {f}E+00 | loss scale: {f} | grad norm: {f} |",
    "INFO:tensorflow:loss = {f}, step = {i} ({f} sec)",
    "wandb: train/loss {f}",
    "2024-01-02 03:04:05.678 | INFO     | __main__:main:{i} - epoch={i} loss={f} acc={f}%",
    "Test set: Average loss: {f}, Accuracy: {i}/{i} ({i}%)",
    "Accuracy of the network on the {i} test images: {i} %",
    "val_loss=nan train_loss=inf epoch={i}",
    "loss={f}loss={f} epoch={i} epoch={i}",
    "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
    "      {i}/{i}      {f}G      {f}      {f}      {f}    {i}   640: 100%|##| {i}/{i} [00:01<00:00, {f}it/s]",
)
BARS = (
    "\r{i}%|###   | {i}/{i} [00:0{i}<00:01, {f}it/s, loss={f}]",
    "\rEpoch {i}:  50%|█████     | {i}/{i} [00:01<00:01, {f}it/s, v_num=0, train_loss={f}]",
    "\r{i}/{i} [=====>....] - ETA: {i}s - loss: {f}",
    "\x1b[1m{i}/{i}\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m━━━\x1b[0m \x1b[1m{i}s\x1b[0m {i}ms/step - loss: {f}\x08\x08\r",
    "\rDownloading: {i}.{i}/{i}.{i} MB {i}%",
    "Working ━━━━━━━╸        {i}% 0:00:0{i}\x1b[2K\r",
    "\router {i}: {i}%|# | {i}/{i} [00:01<?, ?it/s]\n\rinner: {i}%|# | {i}/{i} [00:01<?, ?it/s]\x1b[A",
    "Epoch {i}/{i}\n",
    "[{i}/{i}] compiling\n",
    "Map (num_proc=4): {i}%|█| {i}/{i} [00:00<00:00, {f} examples/s]\r",
)
PROSE = (
    "loading the data from /data/train ...",
    "no error was found in {i} files, 0 warnings",
    "batch_size=32 lr=0.01 seed={i} version=1.{i}.0 http://10.0.0.{i}:8080/",
    "Namespace(epochs={i}, lr=0.1, data='/d', loss='ce')",
    "WARNING: retrying after ConnectionError: timed out",
    "2024-01-02 03:04:05,678 ERROR worker: it failed: Exception in step {i}",
    "|  0%   45C    P0    60W / 300W |  {i}MiB / 16160MiB |  {i}%      Default |",
    "Total params: {i},000 ({f} MB)",
    "",
    "   ",
    "中文日志 第{i}轮 损失 {f}",
    "UserWarning: this is old\n  warnings.warn('old')",
    "=" * 40,
    "{{'a': [1, 2, {{'b': None}}], 'c': '{i}'}}",
    "usage: train.py [-h] [--epochs N]\ntrain.py: error: unrecognized arguments: --foo",
)
CODES = (
    *(b"\x1b[31m", b"\x1b[0m", b"\x1b[A", b"\x1b[2A", b"\x1b[2K", b"\x1b[1G", b"\x1b[?25l", b"\x1b[38;5;12m", b"\x1b"),
    *(b"\x1b[", b"\x1b]0;title\x07", b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"\x1b]0;never", b"\x1bP", b"\x1b("),
    *(b"\x00", b"\x08", b"\x08" * 20, b"\x07", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xef\xbb\xbf", b"\xff", b"\xc3"),
    *(b"\xe4\xb8", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc2\x85", b"\xe2\x80\xa8", b"\r", b"\r\r\n", b"\r\n", b"\t"),
)
EXTREMES = (
    "0",
    "1e309",
    "-1e-320",
    "nan",
    "-inf",
    "9" * 400,
    "1e99999",
    "0x10",
    "1_000",
    "1,234.5",
    ".5",
    "5.",
    "-0.0",
)


def number(rng: Random) -> str:
    """A number as programs print them; now and then one that nobody expects."""
    if rng.random() < 0.06:
        return rng.choice(EXTREMES)
    return rng.choice(("{:.4f}", "{:.2e}", "{:g}", "{:.6g}")).format(rng.uniform(-2, 2) * 10 ** rng.randint(-4, 4))


class _Filled(dict[str, object]):
    """Gives every place of a template a number of its own."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, key: str) -> object:
        return self._rng.randint(0, 12) if key == "i" else number(self._rng)


def filled(template: str, rng: Random) -> str:
    """The template with numbers in its places (`{i}`: whole, `{f}`: any)."""
    try:
        return template.format_map(_Filled(rng))
    except ValueError:  # a width that the number's own text refuses
        return template


def metrics(rng: Random) -> bytes:
    """A line that reports metrics, or a small table."""
    return filled(rng.choice(METRICS), rng).encode() + b"\n"


def bars(rng: Random) -> bytes:
    """A bar, drawn some times."""
    template = rng.choice(BARS)
    drawn = "".join(filled(template, rng) for _ in range(rng.randint(1, 5)))
    return drawn.encode() + rng.choice((b"\n", b"", b"\r"))


def prose(rng: Random) -> bytes:
    """A line that says nothing to a machine."""
    return filled(rng.choice(PROSE), rng).encode() + b"\n"


def terminal(rng: Random) -> bytes:
    """Codes that a terminal would obey, and bytes that it would not."""
    return b"".join(rng.choice(CODES) for _ in range(rng.randint(1, 4)))


def long_line(rng: Random) -> bytes:
    """One line that is longer than most."""
    unit = rng.choice(
        (b"x", b" ", b"a=1 ", b"0.5,", b"\xe6\x95\xb0", b"{", b"Error: ", b"[[", b"loss: 0.5 ", b"=" * 10)
    )
    return unit * rng.randint(20, 900) + b"\n"


MAKERS: tuple[tuple[Callable[[Random], bytes], int], ...] = (
    (metrics, 8),
    (bars, 4),
    (prose, 5),
    (crashes.crash, 7),
    (terminal, 3),
    (long_line, 1),
)


def log(rng: Random) -> bytes:
    """A whole log."""
    makers, weights = zip(*MAKERS, strict=True)
    parts = [make(rng) for make in rng.choices(makers, weights, k=rng.randint(1, 14))]
    return b"".join(parts)
