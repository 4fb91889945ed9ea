"""A name as it was found before a number, without what belongs to the number before it, or to no metric at all."""

import re

from .vocabulary import POSITIONS, normal

_COUNT = re.compile(r"^(?:个? ?epoch的|[轮次步](?:[ 的]|(?=训练|验证|测试|损失|准确|平均)))|(?:为|是|达到)$")
"""What is left of a count before a Chinese name, and the verb behind it: `第1个epoch的损失`, `准确率为`."""
_NAMESPACE = re.compile(r"\b(?:aten|at|c10|torch|std|caffe2|cub|thrust|nccl|cudnn|native|autograd)::$")
"""Of a function of C++: `aten::nll_loss`."""


def tidy(name: str, body: str) -> str:
    """The name alone; empty where it names no metric. `body` is the text up to its end.

    >>> tidy("个epoch的损失", "个epoch的损失"), tidy("it/s loss", " it/s loss"), tidy("nll_loss", "aten::nll_loss")
    ('损失', 'loss', '')
    """
    if name and body.endswith("::" + name) and _NAMESPACE.search(body, 0, len(body) - len(name)):
        return ""
    if not name.isascii() and normal(name) not in POSITIONS:
        name = _COUNT.sub("", name)
    if name.partition(" ")[0].endswith("/s"):
        name = name.partition(" ")[2]
    return name
