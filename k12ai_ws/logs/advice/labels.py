"""Advice on labels, losses that are not finite, and data sets."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

LABELS: tuple[Advice, ...] = (
    advice(
        "",
        "is out of bounds.|t >= 0 && t < n_classes|cur_target >= 0",
        r"Target (-?\d+) is out of bounds|t >= 0 && t < n_classes|cur_target >= 0 && cur_target < n_classes",
        "a label[[ ({1})]] is outside the model's outputs: labels count from 0 to the number of classes - 1, and "
        "num_classes "
        "must fit the data",
        "标签[[ ({1})]]超出模型的输出范围: 标签应从0到类别数减1, 且num_classes应与数据一致",
        code=Code.INDEX_ERROR,
    ),
    advice(
        "",
        "Received a label value of",
        r"label value of (-?\d+) which is outside the valid range of (\[[^)]{0,300}\))",
        "a label is {1}, but the model's outputs are {2}: labels count from 0, and the last layer needs one output "
        "for each class",
        "标签为{1}, 而模型输出范围为{2}: 标签从0开始, 最后一层的输出数应等于类别数",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "smaller than num_classes|Class values must be",
        r"",
        "a label is as large as num_classes or larger: labels count from 0 to num_classes - 1",
        "标签大于或等于num_classes: 标签应从0到num_classes减1",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "IndexError",
        "index out of range in self|srcIndex < srcSelectDimSize",
        r"",
        "a token or category number is larger than the embedding: its size must be the greatest number + 1, or the "
        "sequence "
        "is longer than the model's maximum (use truncation)",
        "token或类别编号超出embedding的大小: 其大小应为最大编号加1; 也可能是序列超过模型的最大长度 (请截断)",
    ),
    advice(
        "",
        "indices[|is not in [0, ",
        r"indices(?:\[[\d,]+\])? = (-?\d+) is not in (\[0, \d+\))",
        "index {1} is outside {2}: an embedding's input_dim must be the greatest number + 1, and labels count from 0",
        "索引{1}超出范围{2}: embedding的input_dim应为最大编号加1, 标签从0开始",
        code=Code.INDEX_ERROR,
    ),
    advice(
        "",
        "to match target batch_size",
        r"input batch_size \((\d+)\) to match target batch_size \((\d+)\)",
        "the model returned {1} rows for {2} labels: look at how the batch is reshaped before the loss",
        "模型输出{1}行, 而标签有{2}个: 请检查计算损失之前的形状变换",
    ),
    advice(
        "",
        "multi-target not supported",
        r"",
        "the loss wants one class number for each sample: use labels.squeeze(), or .argmax(1) for one-hot labels",
        "损失函数需要每个样本一个类别编号: 请用labels.squeeze(), one-hot标签用.argmax(1)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "only batches of spatial targets supported",
        optional(r"size: :? ?(\[[^\]]{0,300}\])"),
        "for segmentation each pixel has one class number, so labels have the shape (batch, height, width)[[, not "
        "{1}]]: use "
        "labels.squeeze(1), or .argmax(1) for one-hot ones",
        "语义分割的标签每个像素为一个类别编号, 形状应为(batch, 高, 宽)[[, 而不是{1}]]: 请用labels.squeeze(1), "
        "one-hot标签用.argmax(1)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Target size (|Using a target size",
        r"[Tt]arget size \((?:torch\.Size\()?(\[[^\]]{0,300}\]).{0,60}?input size "
        r"\((?:torch\.Size\()?(\[[^\]]{0,300}\])",
        "labels have shape {1} and predictions {2}: make them equal, such as with labels.unsqueeze(1).float()",
        "标签形状为{1}, 预测为{2}: 请使两者一致, 如labels.unsqueeze(1).float()",
    ),
    advice(
        "",
        "Expected target size",
        r"Expected target size (\[[^\]]*\]|\([^)]{0,300}\)), got (\[[^\]]*\]|torch\.Size\([^)]{0,300}\))",
        "labels should have shape {1} and have {2}: the classes must stand in dimension 1 of the predictions",
        "标签形状应为{1}, 实际为{2}: 预测的类别应位于第1维",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "should be between 0 and 1",
        r"all elements of (input|target) should be between 0 and 1",
        "this loss wants numbers from 0 to 1 in its {1}: use BCEWithLogitsLoss without sigmoid, and scale the "
        "labels; NaN also "
        "ends here",
        "此损失的{1}必须在0到1之间: 请使用不加sigmoid的BCEWithLogitsLoss, 并检查标签范围; 出现NaN也会报此错",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "label_smoothing",
        r"label_smoothing.{0,40}?between 0\.0 and 1\.0\.? (?:Got|but got):? (\S{1,300})",
        "label_smoothing is {1}: it must lie between 0 and 1, mostly 0.1",
        "label_smoothing为{1}: 应在0到1之间, 通常取0.1",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "weight tensor should be defined",
        r"all (\d+) classes.*?shape: (\[[^\]]{0,300}\])",
        "the loss got weights of shape {2} for {1} classes: give one weight for each class",
        "损失的权重形状为{2}, 而类别有{1}个: 每个类别需要一个权重",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "nan|NaN|inf|non-finite",
        r"returned nan values in|Tensor had (?:NaN|Inf)|[Ll]oss is (?:nan|NaN|inf)|[Nn]a[Nn] (?:loss|detected"
        r"|encountered)"
        r"|gradients? from `parameters` is non-finite|contains either `inf`, `nan`|found invalid "
        r"values:[\s\S]{0,200}nan"
        r"|[Ll]oss (?:became|has become|diverged|exploded|went to)",
        "the loss or a weight became NaN or infinite: lower the learning rate, clip gradients, and look for bad "
        "input values",
        "损失或权重变为NaN或无穷大: 请降低学习率, 裁剪梯度, 并检查输入数据",
        code=Code.LOSS_NOT_FINITE,
    ),
    advice(
        "FloatingPointError",
        "",
        optional(r"(\w[\w ]{1,60}) encountered in (\w{1,80})"),
        "a calculation left the range of numbers[[ ({1} in {2})]]: lower the learning rate, or look for zeros and "
        "bad values in "
        "the data",
        "计算超出了数值范围[[ ({2}中: {1})]]: 请降低学习率, 或检查数据中的零和异常值",
    ),
    advice(
        "OverflowError",
        "",
        r"",
        "a number became too large: the loss may have diverged (lower the learning rate), or exp() got a large value",
        "数值过大: 损失可能已发散 (请降低学习率), 或exp()的输入过大",
    ),
    advice(
        "",
        "num_samples|0 sample|no valid |empty dataset|o images found|ound 0 |No files found|need at least one array"
        "|No obje"
        "cts to concatenate|resulting train set will be empty|ataset is empty|(num_data) > (0)|Dataset is empty",
        r"num_samples=0|Found array with 0 sample|no valid (?:images|files)|empty dataset|[Nn]o images found"
        r"|[Ff]ound 0 (?:images|files|samples|videos)|No files found|need at least one array to|No objects to "
        r"concatenate"
        r"|train set will be empty|[Dd]ataset is empty|\(num_data\) > \(0\)",
        "the dataset is empty: check its path, its file types and the filters on it",
        "数据集为空: 请检查路径、文件类型和过滤条件",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "FileNotFoundError RuntimeError",
        "any class folder|valid file for the classes",
        r"Couldn't find any class folder in (\S{1,300}?)\.?$|no valid file for the classes",
        "images must lie in one folder for each class (data/cat/1.jpg)[[; {1} has none]]",
        "图像应按类别放在各自的文件夹中 (data/cat/1.jpg)[[; {1}中没有]]",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "",
        "Dataset not found or corrupted|Dataset not found.",
        r"",
        "torchvision did not find the dataset in its root: put it into the datasets folder, and give that as root "
        "with download=False",
        "torchvision在root中未找到数据集: 请放入数据集目录, 以其为root并设download=False",
        code=Code.DATASET_MISSING,
    ),
    advice(
        "ValueError",
        "Sum of input lengths does not equal",
        r"",
        "the parts of random_split must add up to the dataset's length: use fractions such as [0.8, 0.2]",
        "random_split各部分之和必须等于数据集长度: 请使用比例, 如[0.8, 0.2]",
    ),
    advice(
        "",
        "Size mismatch between tensors|cardinality is ambiguous|inconsistent numbers of samples|differs from the "
        "length of "
        "#data|Length of label=|Invalid size for `label`",
        optional(r"numbers of samples: (\[[^\]]{0,300}\])|Length of label=(\d+) and length of data=(\d+)"),
        "the inputs and the labels differ in number[[: {1}]][[: {3} rows, {2} labels]]; drop or filter rows in both "
        "alike",
        "输入与标签的数量不一致[[: {1}]][[: {3}行, {2}个标签]]; 删除或过滤时请两者同步",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "ValueError",
        "Tried to step",
        r"Tried to step (\d+) times\. The specified number of total steps is (\d+)",
        "the learning rate's schedule ends after {2} steps, and step() was called {1} times: set total_steps to "
        "epochs x batches",
        "学习率调度共{2}步, 而step()被调用了{1}次: 请将total_steps设为轮数乘以每轮batch数",
    ),
)
"""Tried in this order; the first that holds speaks."""
