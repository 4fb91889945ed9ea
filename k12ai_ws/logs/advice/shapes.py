"""Advice on the shapes of tensors and arrays."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

SHAPES: tuple[Advice, ...] = (
    advice(
        "",
        "mat1 and mat2 shapes cannot be multiplied",
        r"\(([\dx]+) and ([\dx]+)\)",
        "a linear layer got {1} but its weights are {2}: in_features must equal the last size of its input",
        "线性层收到的输入是{1}, 而权重是{2}: in_features必须等于输入最后一维的大小",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "size mismatch, ",
        r"size mismatch, (?:m1: (\[[^\]]{0,300}\]), m2: (\[[^\]]{0,300}\])|got input)",
        "two matrices[[ of sizes {1} and {2}]] cannot be multiplied: in_features must equal the last size of the input",
        "两个矩阵[[ ({1}与{2})]]无法相乘: in_features必须等于输入最后一维的大小",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "of batch2 tensor to be",
        r"to be: (\[[^\]]{0,300}\]) but got: (\[[^\]]{0,300}\])",
        "batches of matrices do not fit: the second should begin with sizes {1} and has {2}; print both shapes "
        "before this line",
        "两批矩阵的形状不匹配: 第二个的前两维应为{1}, 实际为{2}; 请在此行之前打印两者的shape",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "stack expects each tensor to be equal size",
        r"got (\[[^\]]{0,300}\]) at entry 0 and (\[[^\]]{0,300}\])",
        "samples of one batch differ in size ({1} and {2}): resize or pad them, or write a collate_fn",
        "同一batch中样本大小不同 ({1}与{2}): 请统一尺寸、填充, 或编写collate_fn",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "each element in list of batch should be of equal size|inhomogeneous shape|expected sequence of length"
        "|non-rectangular "
        "Python sequence|Cannot batch tensors with different shapes",
        r"",
        "rows or samples differ in length: pad or cut them to one length before making an array or a batch of them",
        "各行或各样本长度不同: 请先填充或截断为相同长度, 再组成数组或batch",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "TypeError",
        "default_collate: batch must contain",
        r"found <class '([\w.]{1,200})'>",
        "the dataset returns a value of type {1}, which cannot be put into a batch: return tensors or numbers (for "
        "images: "
        "transforms.ToTensor()), and check for a missing return",
        "数据集返回了{1}, 无法组成batch: 请返回张量或数字 (图像用transforms.ToTensor()), 并检查是否缺少return",
    ),
    advice(
        "",
        "The size of tensor a (",
        r"tensor a \((\d+)\) must match the size of tensor b \((\d+)\)[^\d]{0,300}(\d+)?",
        "two tensors of sizes {1} and {2} cannot be combined[[ (dimension {3})]]: print both shapes before this line",
        "大小为{1}和{2}的张量无法运算[[ (第{3}维)]]: 请在此行之前打印两者的shape",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "The expanded size of the tensor",
        r"tensor \((\d+)\) must match the existing size \((\d+)\)",
        "the text has {1} tokens, but the model takes at most {2}: cut it with truncation=True and max_length={2}",
        "文本有{1}个token, 而模型最多支持{2}个: 请用truncation=True和max_length={2}截断",
        code=Code.VALUE_ERROR,
        file="/transformers/",
    ),
    advice(
        "",
        "The expanded size of the tensor",
        r"tensor \((\d+)\) must match the existing size \((\d+)\)",
        "a tensor of size {2} cannot be stretched to {1}: print both shapes before this line (only size 1 can be "
        "stretched)",
        "大小为{2}的张量无法扩展为{1}: 请在此行之前打印两者的shape (只有大小1可以扩展)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Sizes of tensors must match except in dimension",
        r"except in dimension (\d+)\. (?:Expected size (\d+) but got size (\d+))?",
        "tensors to be joined along dimension {1} differ elsewhere[[ ({2} and {3})]]: make their other sizes equal",
        "沿第{1}维拼接的张量在其他维上大小不同[[ ({2}与{3})]]: 请使其他维一致",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "same number of dimensions",
        r"(?:got (\d+) and (\d+)|index 0 has (\d+) dimension\(s\) and the array at index \d+ has (\d+))?",
        "what is to be joined has different numbers of dimensions: use unsqueeze, reshape or squeeze first",
        "要拼接的数组维数不同: 请先用unsqueeze、reshape或squeeze",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "' is invalid for input of size",
        r"shape '(\[[^\]]{0,300}\])' is invalid for input of size (\d+)",
        "{2} numbers do not fill the shape {1}: print the tensor's shape before view or reshape",
        "{2}个元素无法排成形状{1}: 请在view或reshape之前打印张量的shape",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "cannot reshape array of size",
        r"array of size (\d+) into shape (\([^)]{0,300}\))",
        "{1} numbers do not fill the shape {2}: print the array's shape before reshape",
        "{1}个元素无法排成形状{2}: 请在reshape之前打印数组的shape",
    ),
    advice(
        "",
        "view size is not compatible",
        r"",
        "the tensor's values do not lie one after another in memory: use .reshape(...) or .contiguous().view(...)",
        "张量的数据在内存中不连续: 请改用.reshape(...)或.contiguous().view(...)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "could not be broadcast together|could not broadcast input array",
        r"shapes? (\([^)]{0,300}\)) (?:into shape )?(\([^)]{0,300}\))",
        "arrays of shapes {1} and {2} cannot be combined: sizes must be equal, or 1",
        "形状为{1}和{2}的数组无法运算: 对应的大小必须相等或为1",
    ),
    advice(
        "",
        " not aligned: ",
        r"shapes (\([^)]{0,300}\)) and (\([^)]{0,300}\)) not aligned",
        "arrays of shapes {1} and {2} cannot be multiplied: the first's last size must equal the second's first",
        "形状为{1}和{2}的数组无法相乘: 前者最后一维须等于后者第一维",
    ),
    advice(
        "",
        "mismatch in its core dimension",
        r"\(size (\d+) is different from (\d+)\)",
        "two arrays cannot be multiplied (sizes {1} and {2} should be equal): print both shapes before this line",
        "两个数组无法相乘 (大小{1}与{2}应相等): 请在此行之前打印两者的shape",
    ),
    advice(
        "",
        "input array dimensions except for the concatenation axis|all input arrays must have the same shape",
        r"",
        "arrays to be joined differ in shape: print their shapes, and make all but the joined dimension equal",
        "要拼接的数组形状不同: 请打印各数组的shape, 并使其他维一致",
    ),
    advice(
        "",
        "Given groups=",
        r"expected input(\[[^\]]{0,300}\]) to have (\d+) channels, but got (\d+)",
        "a convolution expects {2} channels and got {3} (input {1}): grey images have 1, colour images 3, with an "
        "alpha "
        "channel 4; PyTorch wants channels before height and width",
        "卷积层需要{2}个通道, 实际为{3}个 (输入{1}): 灰度图为1, 彩色图为3, 带透明通道为4; PyTorch的通道维在高和宽之前",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Kernel size can't be greater than actual input size|Output size is too small|output size would be zero or "
        "negative"
        "|Negative dimension size caused by",
        r"",
        "the image has become smaller than the next layer needs: use bigger images, fewer pooling layers, or padding",
        "特征图已小于下一层的需要: 请使用更大的图像、更少的池化层, 或增加padding",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "D input (got ",
        r"expected (\S{1,300}) input \(got (\S{1,300}) input\)",
        "the layer wants {1} input and got {2}: add or remove dimensions with unsqueeze or flatten, or use the layer "
        "of that "
        "number (BatchNorm1d, 2d, 3d)",
        "该层需要{1}输入, 实际为{2}: 请用unsqueeze或flatten调整维度, 或换用对应维数的层 (BatchNorm1d、2d、3d)",
    ),
    advice(
        "",
        "Expected more than 1 value per channel when training",
        r"input size (?:torch\.Size\()?(\[[^\]]{0,300}\])",
        "BatchNorm cannot learn from a batch of one ({1}): use drop_last=True or another batch size, and "
        "model.eval() outside "
        "training",
        "BatchNorm无法用只有一个样本的batch训练 ({1}): 请设drop_last=True或更换batch大小, 评估时先调用model.eval()",
    ),
    advice(
        "",
        "running_mean should contain",
        r"contain (\d+) elements not (\d+)",
        "BatchNorm was made for {2} channels and got {1}: its number must equal the layer's before",
        "BatchNorm按{2}个通道创建, 实际为{1}个: 应与前一层的通道数相同",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "normalized_shape",
        r"normalized_shape=(\[[^\]]{0,300}\]), expected input with shape (\[[^\]]{0,300}\]), but got input of size "
        r"?(\[[^\]]{0,300}\])",
        "LayerNorm was made for {1} and got {3}: its size must equal the input's last one",
        "LayerNorm按{1}创建, 实际输入为{3}: 其大小必须等于输入的最后一维",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "must be equal to input_size",
        r"Expected (\d+), got (\d+)",
        "the recurrent layer was made for inputs of size {1} and got {2}: input_size must equal the last size of its "
        "input",
        "循环层按输入大小{1}创建, 实际为{2}: input_size必须等于输入的最后一维",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Expected hidden",
        r"Expected hidden(?:\[\d\])? size (\([^)]{0,300}\)), got (\[[^\]]{0,300}\])",
        "the hidden state should be {1} and is {2}: make it anew for each batch size (the last batch is often smaller)",
        "隐藏状态应为{1}, 实际为{2}: 请按每个batch的大小重新创建 (最后一个batch往往较小)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "einsum()",
        r"subscript (\w) has size (\d+) for operand (\d+) which does not broadcast with previously seen size (\d+)",
        "in einsum the letter {1} stands for size {2} and for {4}: check the letters and the operands' shapes",
        "einsum中字母{1}既表示{2}又表示{4}: 请检查下标和各张量的shape",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "must be divisible by num_heads|not a multiple of the number of attention heads|must be divisible by "
        "num_groups",
        r"",
        "a layer's size must be a multiple of its number of heads or groups: change one of the two, such as 64 and 4",
        "层的大小必须是头数或组数的整数倍: 请修改其中之一, 如64与4",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "IndexError AxisError",
        "Dimension out of range|is out of bounds for array of dimension",
        r"\[(-?\d+), (-?\d+)\], but got (-?\d+)|axis (\d+) is out of bounds for array of dimension (\d+)",
        "the tensor has fewer dimensions than this line thinks: print its shape; dim and axis count from 0",
        "张量的维数比此行预期的少: 请打印其shape; dim和axis从0开始",
    ),
    advice(
        "IndexError",
        "too many indices",
        r"(\d+)-dimensional, but (\d+) were indexed|for tensor of dimension (\d+)",
        "more indices than dimensions: print the shape; perhaps a dimension went away by squeeze or by a single row",
        "索引的个数多于维数: 请打印shape; 可能被squeeze或只有一行而少了一维",
    ),
    advice(
        "IndexError",
        "of the mask|boolean index did not match",
        r"",
        "the mask and the tensor differ in shape: make the mask from this very tensor",
        "掩码与张量形状不同: 请用同一个张量生成掩码",
    ),
    advice(
        "",
        "can be converted to Python scalars|cannot be converted to Scalar|convert an array of size 1|0-dimensional "
        "arrays can "
        "be converted|length-1 arrays can be converted|setting an array element with a sequence",
        r"",
        "one number is needed here, but there are several (or none): take one with an index, or a mean or sum first",
        "此处需要一个数, 实际有多个或没有: 请用索引取其一, 或先求mean或sum",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "more than one value is ambiguous|more than one element is ambiguous|truth value of a",
        r"",
        "many values cannot be one yes or no: use .all() or .any(), and & and | instead of and and or",
        "多个值不能当作一个真假判断: 请用.all()或.any(), 并用&和|代替and和or",
        code=Code.VALUE_ERROR,
    ),
)
"""Tried in this order; the first that holds speaks."""
