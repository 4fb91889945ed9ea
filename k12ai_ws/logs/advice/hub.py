"""Advice on Hugging Face libraries and model hubs."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

HUB: tuple[Advice, ...] = (
    advice(
        "",
        "We couldn't connect to|cannot find the requested files in the local cache|cannot find the appropriate "
        "snapshot|outgo"
        "ing traffic has been disabled|offline mode is enabled|on the Hub|Couldn't reach|is not a local folder and "
        "is not a v"
        "alid|Can't load tokenizer for|Can't load the configuration|Can't load feature extractor|Can't load the model",
        r"We couldn't connect to|local cache|appropriate snapshot|outgoing traffic|offline mode|Couldn't reach|is "
        r"not a local "
        r"folder|Can't load (?:tokenizer for|the configuration|feature extractor|the model)|doesn't exist on the Hub",
        "the model or dataset is not on this machine, and could not be fetched (a container has no network unless its "
        "service asks for one): put it into the pretrained or datasets folder, and load it from there by its path",
        "本机没有该模型或数据集, 且无法下载 (容器默认没有网络): 请将其放入预训练模型或数据集目录, 并按路径加载",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "OSError HFValidationError",
        "Repo id must",
        r"': '([^']{1,300})'|Repo id must [\s\S]{0,200}?'([^']{1,300})'\.?$",
        "{1}{2} is no folder here, so it was taken for a name on the hub: check the path (it must exist where the job "
        "runs)",
        "此处没有目录{1}{2}, 因而被当作hub上的名称: 请检查路径 (须存在于任务运行环境中)",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "OSError",
        "does not appear to have a file named|no file named",
        r"([^\s:]{1,200}) does not appear to have a file named ([^\s,]{1,200})|no file named ([^\s,]{1,200}).*? "
        r"found in directory "
        r"([^\s]{1,200})",
        "the model's folder {1}{4} lacks {2}{3}: copy the whole folder, with its configuration and weights",
        "模型目录{1}{4}中缺少{2}{3}: 请复制完整目录, 包括配置和权重",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "",
        "Unrecognized model in",
        r"Unrecognized model in (\S{1,300})\. Should have",
        "the folder {1} holds no model of Transformers: its config.json must name a model_type",
        "目录{1}不是Transformers模型: 其config.json中应有model_type",
    ),
    advice(
        "",
        "does not recognize this architecture",
        r"model type `([\w-]{1,200})`",
        "this version of transformers does not know the model type {1}: use an image with a newer transformers",
        "当前transformers版本不支持模型类型{1}: 请使用更新版本的transformers镜像",
    ),
    advice(
        "",
        "Unrecognized configuration class",
        r"configuration_\w{1,80}\.(\w{1,80})'> (?:for this kind of AutoModel|to build an AutoTokenizer)(?:: "
        r"(\w{1,80}))?",
        "a model of {1} cannot be used[[ as {2}]] so: choose the Auto class that fits the task",
        "{1}的模型不能[[用作{2}]]这样使用: 请选择与任务相符的Auto类",
    ),
    advice(
        "",
        "trust_remote_code=True",
        r"",
        "this model brings its own code: read it, and if you trust it, pass trust_remote_code=True",
        "该模型自带代码: 请先检查, 信任后再设trust_remote_code=True",
    ),
    advice(
        "",
        "gated repo|401 Client Error|403 Client Error|Cannot access gated",
        r"gated repo|40[13] Client Error[\s\S]{0,200}(?:huggingface\.co|hf\.co|hf-mirror\.com|modelscope\.cn)",
        "this model needs a permission on the hub: get it with your own account, and put the files into the "
        "pretrained folder",
        "该模型需要在hub上获得授权: 请用自己的账号下载后放入预训练模型目录",
    ),
    advice(
        "",
        "padding token|no padding token is defined",
        r"does not have a padding token|no padding token is defined",
        "this model has no padding token: set tokenizer.pad_token = tokenizer.eos_token and "
        "model.config.pad_token_id = "
        "tokenizer.pad_token_id",
        "该模型没有填充token: 请设tokenizer.pad_token = tokenizer.eos_token和model.config.pad_token_id = "
        "tokenizer.pad_token_id",
    ),
    advice(
        "",
        "Unable to create tensor, you should probably activate truncation",
        r"",
        "texts of one batch differ in length: use padding=True and truncation=True, or a DataCollatorWithPadding",
        "同一batch中文本长度不同: 请用padding=True和truncation=True, 或DataCollatorWithPadding",
    ),
    advice(
        "",
        "text input must be of type|TextEncodeInput must be|TextInputSequence must be",
        r"",
        "the tokenizer wants texts and got something else: look for missing values (None, NaN), and convert with str",
        "分词器需要文本, 实际收到其他类型: 请检查缺失值 (None、NaN), 并用str转换",
    ),
    advice(
        "",
        "did not return a loss from the inputs",
        r"",
        "the model computed no loss because the data has no labels: give the dataset a column named labels",
        "数据中没有标签, 模型无法计算损失: 请为数据集添加名为labels的列",
    ),
    advice(
        "",
        "No columns in the dataset match the model's forward",
        r"ignored: \[([^\]]*)\]",
        "the model can use none of the dataset's columns ({1}): tokenize it first (dataset.map), or set "
        "remove_unused_columns=False",
        "数据集的列 ({1}) 都不能被模型使用: 请先分词 (dataset.map), 或设remove_unused_columns=False",
    ),
    advice(
        "",
        "load_best_model_at_end requires",
        r"",
        "to keep the best model, saving and evaluating must happen at the same times: give save_strategy and "
        "eval_strategy the "
        "same value",
        "要保留最佳模型, 保存与评估须同步: 请将save_strategy与eval_strategy设为相同的值",
    ),
    advice(
        "",
        "didn't pass an `eval_dataset`|evaluation requires an eval_dataset|training requires a train_dataset",
        r"(train|eval)_?dataset",
        "the Trainer has no {1} dataset: pass {1}_dataset=..., or switch that part off",
        "Trainer缺少{1}数据集: 请传入{1}_dataset=..., 或关闭该部分",
    ),
    advice(
        "TypeError",
        "unexpected keyword argument 'evaluation_strategy'|unexpected keyword argument 'tokenizer'",
        r"argument '(\w{1,80})'",
        "newer versions of transformers renamed {1}: write eval_strategy for evaluation_strategy, and "
        "processing_class for the "
        "Trainer's tokenizer",
        "新版transformers已重命名{1}: evaluation_strategy改为eval_strategy, Trainer的tokenizer改为processing_class",
    ),
    advice(
        "ImportError",
        "cannot import name 'AdamW' from 'transformers",
        r"",
        "newer versions of transformers have no AdamW: use torch.optim.AdamW",
        "新版transformers已移除AdamW: 请改用torch.optim.AdamW",
    ),
    advice(
        "ImportError",
        "FlashAttention|flash_attn|flash-attn",
        r"",
        "the package flash-attn is missing or does not fit: leave attn_implementation out, or write 'sdpa'",
        "缺少flash-attn或版本不匹配: 请去掉attn_implementation, 或设为'sdpa'",
    ),
    advice(
        "ImportError ModuleNotFoundError ValueError",
        "requires|need to have|you need to|but was not found in your environment",
        r"requires the (\w{1,80}) library but it was not found|pip install (?:-U |--upgrade )?['\"]?([\w\[\]-]+)"
        r"|need to have (\w{1,80})[\w ]* installed",
        "the package {1}{2}{3} is missing: add it to the job's image",
        "缺少包{1}{2}{3}: 请在任务的镜像中安装",
        code=Code.MODULE_NOT_FOUND,
    ),
    advice(
        "ValueError",
        "Input length of input_ids is",
        r"is (\d+), but `max_length` is set to (\d+)",
        "the prompt has {1} tokens and max_length allows {2} in all: set max_new_tokens instead",
        "输入有{1}个token, 而max_length总共只允许{2}个: 请改设max_new_tokens",
    ),
    advice(
        "ValueError",
        "model_kwargs` are not used",
        r"not used by the model: (\[[^\]]{0,300}\])",
        "generate() does not know {1}: check the spelling, and leave out columns that the model does not take",
        "generate()不认识{1}: 请检查拼写, 并去掉模型不需要的列",
    ),
    advice(
        "",
        "doesn't exist.|not in the dataset. Current columns",
        r"Column '?(\w{1,80})'? doesn't exist|Column name (\[[^\]]*\]|\S{1,300}) not in the dataset\. Current "
        r"columns in the "
        r"dataset: "
        r"(\[[^\]]{0,300}\])",
        "the dataset has no column {1}{2}[[; it has {3}]]: check the spelling, and what earlier steps removed",
        "数据集中没有列{1}{2}[[; 现有{3}]]: 请检查拼写以及之前的步骤删除了哪些列",
    ),
    advice(
        "ArrowInvalid",
        "expected length",
        r"named (\S{1,300}) expected length (\d+) but got length (\d+)",
        "the mapped function returned {3} values of {1} for {2} rows: return one for each row, or name the old "
        "columns in "
        "remove_columns",
        "map函数为{2}行返回了{3}个{1}: 请每行返回一个, 或在remove_columns中列出旧列",
    ),
    advice(
        "ArrowInvalid",
        "Could not convert|tried to convert",
        r"Could not convert (.{1,60}?) with type (\w{1,80})",
        "a column mixes types: {1} ({2}) stands among others; make all its values of one type first",
        "某一列混有不同类型: 其中有{1} ({2}); 请先统一该列的类型",
    ),
)
"""Tried in this order; the first that holds speaks."""
