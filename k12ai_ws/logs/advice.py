"""What usually causes the most common failures of people who train models, and what to try; English and Chinese."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """Holds where the exception's type is one of `types` (empty: any) and `pattern` is found in its text.

    `{1}` and its like in the sentences stand for the pattern's groups.
    """

    types: frozenset[str]
    pattern: re.Pattern[str]
    en: str
    zh: str


def _advice(types: str, pattern: str, en: str, zh: str) -> Advice:
    return Advice(frozenset(types.split()), re.compile(pattern), en, zh)


ADVICE: tuple[Advice, ...] = (
    _advice(
        "",
        r"CUDA out of memory.*?Tried to allocate ([\d.]+ ?\w+)",
        "the GPU had no {1} left: make the batch size or the input smaller, or use mixed precision or gradient accumulation",
        "GPU显存不足以再分配{1}: 请减小batch size或输入尺寸, 或使用混合精度、梯度累积",
    ),
    _advice(
        "",
        r"mat1 and mat2 shapes cannot be multiplied \((\w+) and (\w+)\)",
        "a linear layer got {1} but its weights are {2}: its in_features must equal the last size of its input",
        "线性层收到的输入是{1}, 而权重是{2}: in_features必须等于输入最后一维的大小",
    ),
    _advice(
        "ModuleNotFoundError",
        r"No module named '?([\w.]+)",
        "the module {1} is not installed here, or its name is misspelt: check the import, or add the package to the image",
        "此环境没有安装模块{1}, 或名称拼写有误: 请检查import语句, 或在镜像中安装对应的包",
    ),
    _advice(
        "FileNotFoundError",
        r"No such file or directory: '([^']+)'",
        "there is no {1} where the job runs: check the spelling, and that the path is inside the mounted folders",
        "任务运行环境中不存在{1}: 请检查拼写, 并确认路径位于已挂载的目录内",
    ),
    _advice(
        "KeyError",
        r"(.+)",
        "nothing is stored under the key {1}: print the keys that exist, and check spelling and type (1 is not '1')",
        "没有名为{1}的键: 请打印已有的键, 并检查拼写和类型 (1与'1'不同)",
    ),
    _advice(
        "IndexError",
        r"",
        "an index is beyond the end: the last valid one is the length minus 1; an empty list has none",
        "索引超出范围: 最后一个有效索引是长度减1, 空列表没有有效索引",
    ),
    _advice(
        "ZeroDivisionError",
        r"",
        "something was divided by zero: often the number of samples or batches is 0 because a dataset is empty",
        "出现了除以零: 常见原因是数据集为空, 样本数或批次数为0",
    ),
    _advice(
        "NameError UnboundLocalError",
        r"name '(\w+)' is not defined",
        "{1} is used before it gets a value: check the spelling, and that it is imported or assigned above this line",
        "{1}在赋值之前被使用: 请检查拼写, 并确认在此行之前已导入或赋值",
    ),
    _advice(
        "AttributeError",
        r"'NoneType' object has no attribute '(\w+)'",
        "the object before .{1} is None: a function that was to make it returned nothing",
        ".{1}之前的对象是None: 本应产生它的函数没有返回值",
    ),
    _advice(
        "AttributeError",
        r"'([\w.]+)' object has no attribute '(\w+)'",
        "a {1} has nothing called {2}: check the spelling, and that __init__ sets it",
        "{1}没有名为{2}的属性: 请检查拼写, 并确认__init__中已设置",
    ),
    _advice(
        "MemoryError",
        r"",
        "the machine had no memory left for this: load the data in pieces, or use a smaller batch or type",
        "内存不足: 请分块加载数据, 或使用更小的batch或数据类型",
    ),
)
"""Tried in this order; the first that holds speaks."""
