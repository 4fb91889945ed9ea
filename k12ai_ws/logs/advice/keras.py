"""Advice on Keras, TensorFlow and JAX."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

KERAS: tuple[Advice, ...] = (
    advice(
        "",
        "is incompatible with the layer",
        r"layer \"?'?([\w-]+)'?\"? is incompatible with the layer: expected (.{1,60}?),? (?:but received|found|but "
        r"found)"
        r"(?: input with)? (?:shape)?[ =]?(\([^)]{0,300}\)|[\w=]{1,60})",
        "the layer {1} wants {2} and got {3}: the data's shape must equal the model's Input",
        "层{1}需要{2}, 实际为{3}: 数据的形状必须与模型的Input一致",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Invalid input shape for input",
        r"Expected shape (\([^)]{0,300}\)), but input has incompatible shape (\([^)]{0,300}\))",
        "the model wants input of shape {1} and got {2}: the data must have the shape of Input, with the batch in "
        "front",
        "模型需要形状为{1}的输入, 实际为{2}: 数据形状须与Input一致, 最前为batch维",
    ),
    advice(
        "",
        "`target` and `output` must have the same|Shapes (None",
        r"target\.shape=(\([^)]{0,300}\)), output\.shape=(\([^)]{0,300}\))|Shapes (\([^)]{0,300}\)) and "
        r"(\([^)]{0,300}\)) are incompatible",
        "labels have shape {1}{3} and the model's output {2}{4}: for whole-number labels use "
        "sparse_categorical_crossentropy, "
        "and give the last layer one output for each class",
        "标签形状为{1}{3}, 模型输出为{2}{4}: 整数标签请用sparse_categorical_crossentropy, 最后一层的输出数应等于类别数",
    ),
    advice(
        "ValueError InvalidArgumentError",
        "must have the same shape, received|must be the same size",
        r"`?logits`? and `?labels`? must (?:have the same shape|be the same size)[,:]? "
        r"(?:received|logits_size=)? ?\(?([(\[][^)\]]{0,100}[)\]]) (?:vs|labels_size=)\.? ?([(\[][^)\]]{0,100}[)\]])",
        "the model's output has the shape {1} and the labels {2}: give the last layer as many outputs as the labels "
        "have, or use sparse_categorical_crossentropy for whole-number labels",
        "模型输出的形状为{1}, 标签为{2}: 请使最后一层的输出数与标签一致, 整数标签请用sparse_categorical_crossentropy",
    ),
    advice(
        "TypeError",
        "Descriptors cannot ",
        r"Descriptors cannot (?:not )?be created directly",
        "a package was made for an older protobuf than the one in this image: install protobuf<=3.20.3, or a newer "
        "version of that package",
        "某个包是为更旧的protobuf生成的: 请安装protobuf<=3.20.3, 或升级该包",
    ),
    advice(
        "",
        "Dimensions must be equal, but are|Incompatible shapes: |Matrix size-incompatible|both shapes must be equal",
        r"but are (\d+) and (\d+)|Incompatible shapes: (\[[^\]]{0,300}\]) vs\. (\[[^\]]{0,300}\])|In\[0\]: "
        r"(\[[^\]]{0,300}\]), In\[1\]: "
        r"(\[[^\]]{0,300}\])|= (\[[^\]]{0,300}\]) vs\. shape\[\d\] = (\[[^\]]{0,300}\])",
        "two tensors of sizes {1}{3}{5}{7} and {2}{4}{6}{8} cannot be combined: compare the model's output with the "
        "labels' shape",
        "大小为{1}{3}{5}{7}和{2}{4}{6}{8}的张量无法运算: 请比较模型输出与标签的形状",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Input to reshape is a tensor with|total size of the tensor must be unchanged",
        r"with (\d+) values, but the requested shape has (\d+)|input_shape=(\([^)]{0,300}\)), "
        r"target_shape=(\([^)]{0,300}\))",
        "{1}{3} cannot be reshaped into {2}{4}: both must hold the same number of values",
        "{1}{3}无法变形为{2}{4}: 两者的元素个数必须相同",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "must call `compile()`|must compile your model before",
        r"",
        "the model was not compiled: call model.compile(optimizer, loss) before fit or evaluate",
        "模型尚未编译: 请在fit或evaluate之前调用model.compile(optimizer, loss)",
    ),
    advice(
        "",
        "the layer isn't built|has not yet been built|has never been called and thus has no defined",
        r"",
        "the model does not know its input's size yet: begin it with keras.Input(shape=...), or call it once on data",
        "模型还不知道输入的大小: 请以keras.Input(shape=...)开头, 或先用数据调用一次",
    ),
    advice(
        "",
        "Could not interpret|Unknown loss function|Unknown metric function|Unknown optimizer|Unknown activation",
        r"(?:interpret|Unknown) (\w{1,80})(?: function)?(?: identifier)?: '?([^'\n.]{1,60})",
        "Keras knows no {1} named {2}: check the spelling in its documentation",
        "Keras没有名为{2}的{1}: 请对照文档检查拼写",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "keyword arguments passed to|Argument(s) not recognized|Keyword argument not understood",
        r"passed to (\w{1,80}): (\{[^}]{0,300}\})|not recognized: (\{[^}]{0,300}\})",
        "Keras does not know {2}{3}: it is misspelt or was renamed (lr is learning_rate, input_dim is Input)",
        "Keras不认识{2}{3}: 拼写有误或已改名 (lr改为learning_rate, input_dim改为Input)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Invalid dtype: object|Invalid dtype: str|Unsupported object type|unsupported type (<class|Unrecognized data "
        "type",
        r"Invalid dtype: (\w{1,80})|Unsupported object type (\w{1,80})|unsupported type \(<class '(\w{1,80})'|of "
        r"type <class '(\w{1,80})'",
        "the data is of type {1}{2}{3}{4}, not numbers: make it np.array(x, dtype='float32'), and look for missing "
        "values, "
        "texts and rows of different length",
        "数据类型为{1}{2}{3}{4}而不是数字: 请用np.array(x, dtype='float32')转换, 并检查缺失值、文本和长度不一的行",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "was expected to be a",
        r"was expected to be an? (\w{1,80}) tensor but is an? (\w{1,80}) tensor",
        "one tensor is {2} and the other {1}: convert one of them with tf.cast",
        "一个张量为{2}, 另一个为{1}: 请用tf.cast转换其中之一",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "requires inputs with matching shapes|Inputs have incompatible shapes",
        r"",
        "a layer that joins inputs got different shapes: make all but the joined dimension equal",
        "合并层的各输入形状不同: 请使除拼接维之外的各维一致",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "File format not supported: filepath|Invalid filepath extension|must end in `.weights.h5`|end in `.keras`",
        r"filepath=([^\s.]{0,300}\.?\w*)",
        "Keras 3 saves whole models as .keras and weights as .weights.h5: give {1} such an ending, or load it with "
        "the Keras "
        "that saved it",
        "Keras 3用.keras保存模型, 用.weights.h5保存权重: 请修改{1}的扩展名, 或用保存时的Keras版本加载",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "File not found: filepath",
        r"filepath=(\S{1,300}?)\.? ",
        "there is no model {1} where the job runs: check the path, and that the training saved it",
        "任务运行环境中不存在模型{1}: 请检查路径, 并确认训练已保存",
    ),
    advice(
        "",
        "objects could not be loaded|Layer count mismatch|axes don't match|value.shape=",
        optional(r"variable\.shape=(\([^)]{0,300}\)), Received: value\.shape=(\([^)]{0,300}\))"),
        "the saved weights do not fit this model[[ ({2} and {1})]]: build it with the same layers and number of "
        "classes",
        "保存的权重与模型不匹配[[ ({2}与{1})]]: 请用相同的层和类别数构建模型",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Could not locate class|Could not deserialize class|Unknown layer|Unknown object",
        r"(?:class|layer|object):? '?\"?([\w.>]+)",
        "the saved model uses {1}, which this program does not know: pass custom_objects={...}, or register the class",
        "保存的模型用到了{1}, 而当前程序没有定义: 请传入custom_objects={...}, 或注册该类",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "symbolic `tf.Tensor`|SymbolicTensor|symbolic tf.Tensor|Cannot convert a symbolic",
        r"",
        "inside tf.function values are not known yet: use tf.cond and tf.print, or run_eagerly=True in compile()",
        "在tf.function中数值尚未计算: 请用tf.cond和tf.print, 或在compile()中设run_eagerly=True",
    ),
    advice(
        "",
        "A KerasTensor",
        r"",
        "a placeholder of Keras got into a TensorFlow or numpy function: use keras.ops, or wrap the call in a Layer",
        "Keras占位张量被传入TensorFlow或numpy函数: 请用keras.ops, 或将其放入Layer中",
    ),
    advice(
        "",
        "singleton tf.Variables",
        r"",
        "tf.function may create variables only the first time: create layers, optimizers and variables outside it",
        "tf.function只能在首次调用时创建变量: 请在外部创建层、优化器和变量",
    ),
    advice(
        "",
        "No gradients provided for any variable",
        r"",
        "the loss does not depend on any weight: compute it inside the GradientTape, with TensorFlow functions alone",
        "损失与任何权重都无关: 请在GradientTape内只用TensorFlow函数计算损失",
    ),
    advice(
        "",
        "optimizer can only be called for the variables it was originally built with",
        r"",
        "one optimizer was used for two models: create a new one for each model",
        "同一优化器用于了两个模型: 请为每个模型新建优化器",
    ),
    advice(
        "AttributeError",
        "module 'tensorflow' has no attribute",
        r"attribute '(\w{1,80})'",
        "tf.{1} is of TensorFlow 1 and gone: use tf.compat.v1.{1}, or the way of TensorFlow 2",
        "tf.{1}属于TensorFlow 1, 已被移除: 请用tf.compat.v1.{1}, 或改用TensorFlow 2的写法",
    ),
    advice(
        "AttributeError",
        "no attribute 'predict_classes'|no attribute 'fit_generator'|no attribute 'predict_proba'|no attribute "
        "'predict_gen",
        r"attribute '(\w{1,80})'",
        "newer Keras has no {1}: use fit(), or predict(x).argmax(axis=1)",
        "新版Keras已移除{1}: 请用fit(), 或predict(x).argmax(axis=1)",
    ),
    advice(
        "ImportError ModuleNotFoundError",
        "keras",
        r"(?:cannot import name '(\w{1,80})' from '(?:tensorflow\.)?keras[\w.]*'|No module named "
        r"'((?:tensorflow\.)?keras\.[\w.]{1,200})')",
        "this version of Keras no longer has {1}{2}: use its present name, or an image with the older TensorFlow",
        "当前Keras版本已没有{1}{2}: 请使用新的名称, 或使用旧版TensorFlow镜像",
    ),
    advice(
        "",
        "Unknown image file format|JPEG, ",
        r"Unknown image file format",
        "a file is damaged or no image that TensorFlow reads (JPEG, PNG, GIF, BMP): remove or convert it",
        "某文件已损坏, 或不是TensorFlow支持的图像 (JPEG、PNG、GIF、BMP): 请删除或转换",
    ),
    advice(
        "DataLossError",
        "",
        r"",
        "the TFRecord file is damaged, cut short or of another kind: make or copy it again",
        "TFRecord文件已损坏、不完整或类型不符: 请重新生成或复制",
    ),
    advice(
        "NotFoundError",
        "No such file or directory",
        r"(?:\}\} )?([^\s;]{1,200}); No such file",
        "there is no {1} where the job runs: check the spelling, and that it is inside the mounted folders",
        "任务运行环境中不存在{1}: 请检查拼写, 并确认它位于已挂载的目录内",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "TracerBoolConversionError ConcretizationTypeError TracerArrayConversionError TracerIntegerConversionError "
        "UnexpectedTracerError",
        "",
        r"",
        "inside jax.jit values are not known yet: use jnp.where or lax.cond instead of if, and jnp instead of np, or "
        "mark the "
        "argument as static",
        "在jax.jit中数值尚未计算: 请用jnp.where或lax.cond代替if, 用jnp代替np, 或将该参数设为static",
    ),
)
"""Tried in this order; the first that holds speaks."""
