"""Advice on names, attributes, keys and indices of Python itself."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

_OF_TENSORS = "to|cuda|cpu|device|float|long|half|detach|numpy|requires_grad|unsqueeze|squeeze|permute|view"

NAMES: tuple[Advice, ...] = (
    advice(
        "UnboundLocalError NameError",
        "variable '",
        r"variable '(\w{1,80})'",
        "{1} is read before this function gives it a value: assign it first on every path, or pass it as an argument",
        "函数在为{1}赋值之前读取了它: 请在每条路径上先赋值, 或作为参数传入",
    ),
    advice(
        "NameError",
        "'get_ipython'|'display'",
        r"name '(get_ipython|display)' is not defined",
        "{1} exists in notebooks alone (Jupyter), and a job is a plain program: remove that line",
        "{1}只存在于笔记本 (Jupyter) 中, 任务是普通程序: 请删除该行",
    ),
    advice(
        "NameError",
        "'true'|'false'|'null'|'nan'",
        r"name '(true|false|null|nan)' is not defined",
        "Python does not know {1}: write True, False, None or float('nan')",
        "Python没有{1}: 请写True、False、None或float('nan')",
    ),
    advice(
        "NameError",
        "'xrange'|'unicode'|'raw_input'|'unichr'|'basestring'|'reduce'",
        r"name '(\w{1,80})' is not defined",
        "{1} is of Python 2: write range, str or input instead (reduce is in functools)",
        "{1}属于Python 2: 请改用range、str或input (reduce在functools中)",
    ),
    advice(
        "NameError",
        "'np'|'pd'|'plt'|'nn'|'tf'|'F'|'os'|'sys'|'torch'|'json'|'math'|'random'|'time'|'re'",
        r"name '(np|pd|plt|nn|tf|F|os|sys|torch|json|math|random|time|re)' is not defined",
        "{1} was not imported: add its import at the top of the file",
        "{1}没有导入: 请在文件开头添加对应的import",
    ),
    advice(
        "NameError",
        "",
        r"name '(\w{1,80})' is not defined",
        "{1} has no value here[[; perhaps {suggestion} is meant]]: check the spelling, and that it is imported or "
        "assigned above",
        "{1}在此处没有值[[; 也许是{suggestion}]]: 请检查拼写, 并确认在前面已导入或赋值",
    ),
    advice(
        "AttributeError",
        "'NoneType' object",
        r"'NoneType' object has no attribute '(\w{1,80})'",
        "what stands before .{1} is None: the function that was to make it returned nothing (cv2.imread and dict.get "
        "do so where "
        "nothing is found)",
        "{1}之前的对象是None: 本应产生它的函数没有返回值 (cv2.imread、dict.get在找不到时返回None)",
    ),
    advice(
        "AttributeError",
        "'list' object|'tuple' object",
        rf"'(list|tuple)' object has no attribute '({_OF_TENSORS})'",
        "this is a {1}, no tensor: use {2} on each of its elements ([t.to(device) for t in x]), or join them first "
        "with torch.stack(x) (numbers: torch.tensor(x))",
        "这是{1}而不是张量: 请对每个元素使用{2} ([t.to(device) for t in x]), 或先用torch.stack(x)合并 (数字用"
        "torch.tensor(x))",
    ),
    advice(
        "AttributeError",
        "'dict' object|OrderedDict' object",
        rf"'(?:dict|[\w.]{{0,80}}OrderedDict)' object has no attribute '({_OF_TENSORS})'",
        "this is a dictionary, no tensor: use {1} on each of its values ({k: v.to(device) for k, v in x.items()}); "
        "what a checkpoint holds goes into model.load_state_dict(x)",
        "这是字典而不是张量: 请对每个值使用{1} ({k: v.to(device) for k, v in x.items()}); 检查点的内容请用"
        "model.load_state_dict(x)载入",
    ),
    advice(
        "AttributeError",
        "'dict' object|OrderedDict' object",
        r"'(?:dict|[\w.]{0,80}OrderedDict)' object has no attribute '(eval|train|parameters|forward|state_dict"
        r"|load_state_dict|predict|zero_grad)'",
        "this is a dictionary of weights, no model: create the model first, then model.load_state_dict(x)",
        "这是保存权重的字典而不是模型: 请先创建模型, 再用model.load_state_dict(x)载入",
    ),
    advice(
        "AttributeError",
        "'dict' object",
        r"'dict' object has no attribute '(has_key|iteritems|itervalues|iterkeys)'",
        "{1} is of Python 2: write key in x, or x.items(), x.values(), x.keys()",
        "{1}属于Python 2: 请写key in x, 或x.items()、x.values()、x.keys()",
    ),
    advice(
        "AttributeError",
        "'numpy.ndarray' object",
        r"'numpy\.ndarray' object has no attribute '(numpy|cpu|detach)'",
        "this is a numpy array already: leave .{1}() out",
        "这已经是numpy数组: 请去掉.{1}()",
    ),
    advice(
        "AttributeError",
        "'numpy.ndarray' object",
        rf"'numpy\.ndarray' object has no attribute '({_OF_TENSORS}|backward)'",
        "this is a numpy array, no tensor: make one of it with torch.from_numpy(x)",
        "这是numpy数组而不是张量: 请用torch.from_numpy(x)转换",
    ),
    advice(
        "AttributeError",
        "'list' object",
        r"'list' object has no attribute '(shape|reshape|astype|mean|std|min|max|sum|dtype|T|ndim|argmax|flatten|tolist"
        r"|size|dot)'",
        "this is a list, and lists have no {1}: take one of its elements, or make it an array with np.array(x)",
        "这是列表, 没有{1}: 请取其中的元素, 或用np.array(x)转换为数组",
    ),
    advice(
        "AttributeError",
        "'list' object",
        r"'list' object has no attribute '(\w{1,80})'",
        "this is a list, and lists have no {1}[[; perhaps {suggestion} is meant]]: take one of its elements (x[0]), or "
        "loop over them",
        "这是列表, 没有{1}[[; 也许是{suggestion}]]: 请取其中的元素 (x[0]), 或逐个遍历",
    ),
    advice(
        "AttributeError",
        "DataParallel' object|FullyShardedDataParallel' object",
        r"'(DataParallel|DistributedDataParallel|FullyShardedDataParallel)' object has no attribute '(\w{1,80})'",
        "the model is wrapped in {1}, and its own parts lie below module: write model.module.{2}",
        "模型被{1}包装, 自己的部分在module之下: 请写model.module.{2}",
    ),
    advice(
        "AttributeError",
        "'function' object|'method' object|'builtin_function_or_method' object",
        r"'(?:function|method|builtin_function_or_method)' object has no attribute '(\w{1,80})'",
        "what stands before .{1} is a function that was not called: write brackets after its name (f().{1})",
        "{1}之前的是未被调用的函数: 请在函数名后加上括号 (f().{1})",
    ),
    advice(
        "AttributeError",
        "'dict' object",
        r"'dict' object has no attribute '(\w{1,80})'",
        "this is a dictionary: write ['{1}'] instead of .{1}",
        "这是字典: 请用['{1}']代替.{1}",
    ),
    advice(
        "AttributeError",
        "module '",
        r"module '([\w.]{1,200})' has no attribute '(\w{1,80})'",
        "{1} has no {2}[[; perhaps {suggestion} is meant]]: its version is another one, or a file of yours has the "
        "same name as "
        "the module",
        "{1}没有{2}[[; 也许是{suggestion}]]: 版本不同, 或您的某个文件与该模块同名",
    ),
    advice(
        "AttributeError",
        "object has no attribute",
        r"'(str|int|float|bool|tuple|set|bytes|generator|range|map|filter|zip)' object has no attribute '(\w{1,80})'",
        "a value of type {1} has nothing called {2}[[; perhaps {suggestion} is meant]]: it is perhaps not the value "
        "that was expected here; print it and its type before this line",
        "{1}类型的值没有{2}[[; 也许是{suggestion}]]: 它可能不是此处应有的值, 请在此行之前打印它及其类型",
    ),
    advice(
        "AttributeError",
        "",
        r"'([\w.]{1,200})' object has no attribute '(\w{1,80})'",
        "an object of type {1} has nothing called {2}[[; perhaps {suggestion} is meant]]: check the spelling, and "
        "that __init__ sets "
        "it",
        "{1}没有名为{2}的属性[[; 也许是{suggestion}]]: 请检查拼写, 并确认__init__中已设置",
    ),
    advice(
        "KeyError",
        "",
        r"^(.{1,150})",
        "nothing is stored under the key {1}: print the keys that exist, and check spelling and type (1 is not '1')",
        "没有名为{1}的键: 请打印已有的键, 并检查拼写和类型 (1与'1'不同)",
    ),
    advice(
        "IndexError",
        "pop from empty list|empty sequence",
        r"",
        "the list is empty: check what should have filled it, such as a path or a filter that found nothing",
        "列表为空: 请检查本应填充它的代码, 如未找到文件的路径或过滤条件",
    ),
    advice(
        "IndexError",
        "invalid index of a 0-dim tensor",
        r"",
        "the tensor is one number and has no elements: write x.item() instead of x[0], such as loss.item() for "
        "loss.data[0]",
        "该张量只有一个数, 没有元素: 请用x.item()代替x[0], 如用loss.item()代替loss.data[0]",
    ),
    advice(
        "IndexError",
        "only integers",
        r"",
        "an index must be a whole number: use int(x), // instead of /, or a list of whole numbers",
        "索引必须是整数: 请用int(x)、用//代替/, 或使用整数列表",
    ),
    advice(
        "IndexError RuntimeError",
        "is out of bounds",
        r"index (-?\d+) is out of bounds for (?:axis|dimension) (\d+) with size (\d+)",
        "index {1} is beyond the end: this dimension has {3} values, numbered from 0 to {3} - 1",
        "索引{1}超出范围: 该维共有{3}个值, 编号从0到{3}减1",
        code=Code.INDEX_ERROR,
    ),
    advice(
        "IndexError",
        "",
        r"",
        "an index is beyond the end: the last valid one is the length minus 1; an empty list has none",
        "索引超出范围: 最后一个有效索引是长度减1, 空列表没有有效索引",
    ),
)
"""Tried in this order; the first that holds speaks."""
