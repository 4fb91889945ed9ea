"""Advice on tensors, labels, models and data."""

from .entry import Advice, advice

ARRAYS: tuple[Advice, ...] = (
    advice(
        "",
        r"mat1 and mat2 shapes cannot be multiplied \(([\dx]+) and ([\dx]+)\)",
        "a linear layer got {1} but its weights are {2}: in_features must equal the last size of its input",
        "线性层收到的输入是{1}, 而权重是{2}: in_features必须等于输入最后一维的大小",
    ),
    advice(
        "",
        r"size mismatch for ([\w.]+)",
        "the checkpoint's {1} has another shape than the model's: it was saved from another model or number of classes",
        "检查点中{1}的形状与模型不同: 它来自另一个模型或不同的类别数",
    ),
    advice(
        "",
        r"Error\(s\) in loading state_dict for (\w+)",
        "the checkpoint does not fit this {1}: it was saved from another architecture, or names carry a "
        "prefix such as 'module.'",
        "检查点与此{1}不匹配: 它来自不同的结构, 或参数名带有module.等前缀",
    ),
    advice(
        "",
        r"stack expects each tensor to be equal size, but got (\[[^\]]*\]) at entry 0 and (\[[^\]]*\])",
        "samples of one batch differ in size ({1} and {2}): resize or pad them, or write a collate_fn",
        "同一batch中样本大小不同 ({1}与{2}): 请统一尺寸、填充, 或编写collate_fn",
    ),
    advice(
        "",
        r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)",
        "the model returned {1} rows for {2} labels: look at how the batch is reshaped before the loss",
        "模型输出{1}行, 而标签有{2}个: 请检查计算损失之前的形状变换",
    ),
    advice(
        "",
        r"Target (\d+) is out of bounds",
        "a label is {1}, but the model has not that many outputs: labels count from 0 to classes - 1",
        "标签为{1}, 超出模型输出的类别数: 标签应从0到类别数减1",
    ),
    advice(
        "",
        r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
        "two tensors of sizes {1} and {2} cannot be combined: print both shapes before this line",
        "大小为{1}和{2}的张量无法运算: 请在此行之前打印两者的shape",
    ),
    advice(
        "",
        r"shape '(\[[^\]]*\])' is invalid for input of size (\d+)",
        "{2} numbers do not fill the shape {1}: print the tensor's shape before view or reshape",
        "{2}个元素无法排成形状{1}: 请在view或reshape之前打印张量的shape",
    ),
    advice(
        "",
        r"operands could not be broadcast together with shapes (\([^)]*\)) (\([^)]*\))",
        "arrays of shapes {1} and {2} cannot be combined: sizes must be equal, or 1",
        "形状为{1}和{2}的数组无法运算: 对应的大小必须相等或为1",
    ),
    advice(
        "",
        r"Found input variables with inconsistent numbers of samples: (\[[^\]]*\])",
        "the inputs and the labels differ in number: {1}",
        "输入与标签的数量不一致: {1}",
    ),
    advice(
        "",
        r"X has (\d+) features, but \w+ is expecting (\d+)",
        "the data has {1} columns, but the model was trained on {2}: prepare both the same way",
        "数据有{1}列, 而模型训练时是{2}列: 请以同样的方式预处理",
    ),
    advice(
        "",
        r"expected (?:scalar type|m1 and m2 to have the same dtype).*?(Float|Double|Half|Long|float|double)",
        "tensors of different number types meet: convert with .float(), .long() or .to(dtype)",
        "张量的数据类型不一致: 请用.float()、.long()或.to(dtype)转换",
    ),
    advice(
        "",
        r"Input type \(([\w.]+)\) and weight type \(([\w.]+)\) should be the same",
        "the input is {1} but the model is {2}: move both to the same device and type",
        "输入是{1}, 模型是{2}: 请放到同一设备并使用同一类型",
    ),
    advice(
        "",
        r"Given groups=\d+, weight of size (\[[^\]]*\]), expected input(\[[^\]]*\]) to have (\d+) "
        r"channels, but got (\d+)",
        "a convolution expects {3} channels and got {4}: grey images have 1, colour images 3",
        "卷积层需要{3}个通道, 实际为{4}个: 灰度图为1, 彩色图为3",
    ),
    advice(
        "",
        r"does not require grad and does not have a grad_fn",
        "the loss is not connected to any parameter: something detached it, or all layers are frozen",
        "损失与任何参数都没有联系: 可能被detach, 或所有层都被冻结",
    ),
    advice(
        "",
        r"Trying to backward through the graph a second time",
        "backward() ran twice over one graph: compute the loss anew in each step, and detach what is carried over",
        "对同一计算图执行了两次backward(): 请每步重新计算损失, 并detach需要保留的张量",
    ),
    advice(
        "",
        r"modified by an inplace operation",
        "a value needed for the gradient was overwritten: replace x += y by x = x + y near this line",
        "求梯度所需的值被原地修改: 请将附近的x += y改为x = x + y",
    ),
    advice(
        "",
        r"Input (?:X |y )?contains (?:NaN|infinity)",
        "the data has missing or infinite values: drop or fill them before training",
        "数据中有缺失值或无穷大: 请在训练前删除或填充",
    ),
    advice(
        "",
        r"could not convert string to float: (.{1,60})",
        "{1} is text where a number is expected: encode text columns before training",
        "{1}是文本, 此处需要数字: 请在训练前对文本列编码",
    ),
    advice(
        "",
        r"num_samples should be a positive integer|Found array with 0 sample|no valid "
        r"(?:images|files)|empty dataset",
        "the dataset is empty: check its path, its file types and the filters on it",
        "数据集为空: 请检查路径、文件类型和过滤条件",
    ),
    advice(
        "",
        r"n_splits=(\d+) cannot be greater than|least populated class in y has only (\d+)",
        "a class has too few samples for this split: add samples or use fewer folds",
        "某个类别的样本太少, 无法划分: 请增加样本或减少折数",
    ),
    advice(
        "",
        r"NotFittedError|is not fitted yet",
        "the model is used before it was trained: call fit first, or load a trained one",
        "模型在训练之前被使用: 请先调用fit, 或加载训练好的模型",
    ),
)
"""Tried in this order; the first that holds speaks."""
