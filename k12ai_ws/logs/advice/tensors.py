"""Advice on number types, gradients and indexing of tensors and arrays."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

TENSORS: tuple[Advice, ...] = (
    advice(
        "",
        "same dtype, but got|m1 and m2 to have the same dtype",
        r"but got:? (\w{1,80}) and (\w{1,80})|but got: (\w{1,80}) != (\w{1,80})",
        "the input is of type {1}{3} and the layer of type {2}{4}: convert the input, such as with .float()",
        "输入类型为{1}{3}, 而层的类型为{2}{4}: 请转换输入, 如.float()",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "should be the same",
        r"Input type \(([\w.]{1,200}(?: \w{1,80})?)\) and (?:weight|bias) type \(([\w.]{1,200})\) should be the same",
        "the input is {1} but the model is {2}: move both to the same device and type (images: .float() / 255)",
        "输入是{1}, 模型是{2}: 请放到同一设备并使用同一类型 (图像: .float() / 255)",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        'target dtype to be Long|expected scalar type Long|"nll_loss',
        r"",
        "class labels must be whole numbers of type long: convert them with .long(); one-hot labels need .argmax(1)",
        "类别标签必须是long类型的整数: 请用.long()转换; one-hot标签请先用.argmax(1)",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "but expected Float|Found dtype",
        r"[Ff]ound dtype (\w{1,80}) but expected (\w{1,80})",
        "the labels or the result are {1}, and the loss wants {2}: convert them, such as with .float()",
        "标签或结果的类型为{1}, 而损失函数需要{2}: 请转换, 如.float()",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "one of the following scalar types: Long, Int",
        r"but got ([\w.]{1,200}) instead",
        "an embedding looks numbers up by index and got {1}: convert the input with .long()",
        "embedding按整数索引查表, 实际收到{1}: 请用.long()转换输入",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "expected scalar type|expected dtype|to have the same dtype",
        r"",
        "tensors of different number types meet: convert with .float(), .long() or .to(dtype)",
        "张量的数据类型不一致: 请用.float()、.long()或.to(dtype)转换",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "could not infer output dtype|can't be cast to the desired output type|Only Tensors of floating point",
        r"",
        "whole numbers cannot hold this result: convert the tensor with .float() first",
        "整数类型无法保存该结果: 请先用.float()转换张量",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "Could not infer dtype of",
        r"Could not infer dtype of (\S{1,300})",
        "a tensor cannot be made of {1}: look for missing values, or convert it to numbers first",
        "无法用{1}创建张量: 请检查缺失值, 或先转换为数字",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "TypeError",
        "can't convert np.ndarray of type",
        r"of type numpy\.(\w{1,80})",
        "the array holds {1}, not numbers of one type: convert it with .astype('float32') before making a tensor",
        "数组的类型为{1}, 不是统一的数字类型: 请先用.astype('float32')转换再创建张量",
    ),
    advice(
        "TypeError",
        "must be Tensor, not",
        r"(\w{1,80})\(\).{0,60}must be Tensor, not ([\w.]{1,200})",
        "{1}() wants a tensor and got {2}: convert it first, such as with torch.from_numpy(x).float() or ToTensor()",
        "{1}()需要张量, 实际为{2}: 请先转换, 如torch.from_numpy(x).float()或ToTensor()",
    ),
    advice(
        "",
        "negative strides|strides in the given numpy array is negative|stride in the given numpy array is negative",
        r"",
        "a flipped array ([::-1], flip) cannot become a tensor as it is: add .copy() to it",
        "翻转过的数组 ([::-1]、flip) 不能直接转为张量: 请先调用.copy()",
    ),
    advice(
        "",
        "does not require grad and does not have a grad_fn",
        r"",
        "the loss is not connected to any parameter: something detached it (.item(), .numpy(), no_grad), or all "
        "layers are "
        "frozen",
        "损失与任何参数都没有联系: 可能被.item()、.numpy()或no_grad断开, 或所有层都被冻结",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Trying to backward through the graph a second time",
        r"",
        "backward() ran twice over one calculation: compute the loss anew in each step, and detach() what is carried "
        "over",
        "对同一计算图执行了两次backward(): 请每步重新计算损失, 并用detach()保留需要传递的张量",
    ),
    advice(
        "",
        "modified by an inplace operation|is being used in an in-place operation",
        r"",
        "a value needed for the gradient was overwritten: replace x += y by x = x + y near this line, and "
        "ReLU(inplace=True) by ReLU()",
        "求梯度所需的值被原地修改: 请将附近的x += y改为x = x + y, ReLU(inplace=True)改为ReLU()",
    ),
    advice(
        "",
        "grad can be implicitly created only for scalar outputs",
        r"",
        "backward() needs one number: take the mean or sum of the loss first (loss.mean().backward())",
        "backward()需要一个标量: 请先对损失求平均或求和 (loss.mean().backward())",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "on Tensor that requires grad|support the deepcopy protocol",
        r"",
        "the tensor still belongs to the calculation of gradients: call .detach() first (.detach().cpu().numpy())",
        "张量仍在计算图中: 请先调用.detach() (.detach().cpu().numpy())",
    ),
    advice(
        "AttributeError",
        "has no attribute 'backward'",
        r"'(?!NoneType|tuple|list|dict|numpy)(\w{1,80})' object has no attribute 'backward'",
        "the loss is of type {1} and no tensor: leave out .item() or float() before backward()",
        "损失是{1}而不是张量: 请不要在backward()之前使用.item()或float()",
    ),
    advice(
        "",
        "Recomputed values for the following tensors|different number of tensors was saved during the original",
        r"",
        "gradient checkpointing computed a layer twice with different results: no randomness or changed state inside "
        "it, or "
        "leave checkpointing off",
        "梯度检查点两次计算同一层的结果不一致: 请避免其中的随机性和状态变化, 或关闭该功能",
    ),
    advice(
        "",
        "optimizer got an empty parameter list",
        r"",
        "the model has no parameters: its layers must be attributes (self.x = nn.Linear(...)), and lists of them "
        "nn.ModuleList",
        "模型没有参数: 层必须是属性 (self.x = nn.Linear(...)), 列表需用nn.ModuleList",
    ),
    advice(
        "AttributeError",
        "before Module.__init__() call",
        r"",
        "the model's __init__ must call super().__init__() first, before it sets any layer",
        "模型的__init__必须先调用super().__init__(), 再设置各层",
    ),
    advice(
        "NotImplementedError",
        'is missing the required "forward" function',
        r"Module \[(\w{1,80})\]",
        "the model {1} has no forward: check its spelling and indentation inside the class",
        "模型{1}没有forward方法: 请检查其拼写和在类中的缩进",
    ),
    advice(
        "AssertionError",
        "_scale is None|No inf checks were recorded",
        r"",
        "with a GradScaler each step needs scaler.scale(loss).backward() before scaler.step(optimizer)",
        "使用GradScaler时, 每步须先scaler.scale(loss).backward(), 再scaler.step(optimizer)",
    ),
    advice(
        "",
        "unscale_() has already been called",
        r"",
        "unscale_() may run once per step: call scaler.update() after each scaler.step(optimizer)",
        "每步只能调用一次unscale_(): 请在scaler.step(optimizer)之后调用scaler.update()",
    ),
    advice(
        "AttributeError",
        "`np.",
        r"`(np\.\w{1,80})` was (?:removed|a deprecated)",
        "numpy no longer has {1}: use its new name (np.float64, float, bool), or an older numpy",
        "numpy已移除{1}: 请使用新名称 (np.float64、float、bool), 或安装旧版numpy",
    ),
    advice(
        "",
        "numpy.dtype size changed|compiled against API version|compiled using NumPy 1.x|compiled against ABI version"
        "|numpy.core.multiarray failed to import|_ARRAY_API not found|Numpy is not available",
        r"",
        "a package was built for another numpy version: install matching versions, such as numpy<2, or a newer "
        "version of "
        "that package",
        "某个包是针对另一版本的numpy编译的: 请安装匹配的版本, 如numpy<2, 或升级该包",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "NaN to integer|infinity to integer|Cannot convert non-finite values",
        r"",
        "NaN or infinity cannot become a whole number: fill or drop missing values first",
        "NaN或无穷大无法转换为整数: 请先填充或删除缺失值",
    ),
    advice(
        "",
        "Singular matrix|SVD did not converge|not positive-definite|not positive definite|factorization could not be "
        "completed",
        r"",
        "the matrix cannot be inverted or decomposed: columns repeat each other, or values are NaN; drop such "
        "columns, or add a "
        "small number to the diagonal",
        "矩阵不可逆或无法分解: 可能有重复的列或NaN; 请删除这些列, 或在对角线上加一个小数",
        code=Code.VALUE_ERROR,
    ),
)
"""Tried in this order; the first that holds speaks."""
