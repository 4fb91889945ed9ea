"""Advice on saved models: their files, and whether they fit."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

CHECKPOINTS: tuple[Advice, ...] = (
    advice(
        "",
        "size mismatch for ",
        r"size mismatch for ([\w.]{1,200}): copying a param with shape (?:torch\.Size\()?(\[[\d, ]*\]).{0,60}?model is "
        r"(?:torch\.Size\()?(\[[\d, ]*\])|size mismatch for ([\w.]{1,200})",
        "the checkpoint's {1}{4} has another shape than the model's[[ ({2} and {3})]]: it was saved from another "
        "model or "
        "number of classes",
        "检查点中{1}{4}的形状与模型不同[[ ({2}与{3})]]: 它来自另一个模型或不同的类别数",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Error(s) in loading state_dict",
        r"state_dict for (\w{1,80})[\s\S]*?(?:Unexpected|Missing) key[\s\S]*?\"(module\.|model\.|_orig_mod\.)",
        "the checkpoint's names begin with {2} (from DataParallel, a wrapper or torch.compile) and those of {1} do "
        "not, or "
        "the other way round: take the prefix off before load_state_dict",
        "检查点的参数名以{2}开头 (来自DataParallel、外层包装或torch.compile), 与{1}不一致: 请在load_state_dict之前去"
        "掉该前缀",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Error(s) in loading state_dict",
        r"state_dict for (\w{1,80})[\s\S]*?(?:Unexpected|Missing) key\(s\) in state_dict: \"([^\"]*)\"|state_dict "
        r"for (\w+)",
        "the checkpoint does not fit this {1}{3}[[ (first difference: {2})]]: it was saved from another architecture "
        "or version",
        "检查点与此{1}{3}不匹配[[ (首个差异: {2})]]: 它来自不同的结构或版本",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "ignore_mismatched_sizes",
        r"",
        "the saved model has other sizes than this configuration, mostly another number of classes: correct "
        "num_labels, or set "
        "ignore_mismatched_sizes=True to train a new last layer",
        "保存的模型与当前配置的大小不同, 多为类别数不同: 请修正num_labels, 或设ignore_mismatched_sizes=True重新训练"
        "最后一层",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "TypeError",
        "Expected state_dict to be dict-like",
        r"got <class '([\w.]{1,200})'>",
        "load_state_dict got a value of type {1}: give it the dictionary of weights, such as checkpoint['state_dict']",
        "load_state_dict收到的是{1}: 请传入权重字典, 如checkpoint['state_dict']",
    ),
    advice(
        "ValueError",
        "loaded state dict contains a parameter group|different number of parameter groups",
        r"",
        "the saved optimizer belongs to another model: load it only for the same layers, or begin with a new optimizer",
        "保存的优化器属于另一个模型: 请仅在层相同时加载, 或重新创建优化器",
    ),
    advice(
        "KeyError",
        "initial_lr",
        r"",
        "a schedule that goes on needs the saved optimizer: load its state before making the scheduler, or leave "
        "last_epoch out",
        "继续学习率调度需要先恢复优化器: 请在创建scheduler之前加载其状态, 或不设last_epoch",
    ),
    advice(
        "UnpicklingError",
        "Weights only load failed",
        optional(r"(?:Unsupported global: GLOBAL|GLOBAL) ([\w.]{1,200})"),
        "since PyTorch 2.6 torch.load reads weights alone, and this file holds more[[ ({1})]]: for a file that you "
        "trust, use "
        "weights_only=False or torch.serialization.add_safe_globals",
        "PyTorch 2.6起torch.load默认只读取权重, 而此文件含有其他对象[[ ({1})]]: 若信任该文件, 请用weights_only=False或"
        "torch.serialization.add_safe_globals",
    ),
    advice(
        "",
        "PytorchStreamReader failed|failed finding central directory|invalid header or archive is corrupted|invalid "
        "magic number"
        "|deserializing header|HeaderTooLarge|InvalidHeaderDeserialization|MetadataIncompleteBuffer|Invalid model "
        "format"
        "|Incorrect model file descriptor|Unknown model format",
        r"",
        "the model file is damaged or no model: it was perhaps still being written, or is a Git LFS pointer; save or "
        "copy it "
        "again",
        "模型文件已损坏或不是模型: 可能写入中断, 或只是Git LFS指针; 请重新保存或复制",
        code=Code.MODEL_BROKEN,
    ),
    advice(
        "UnpicklingError EOFError KeyError IndexError",
        "",
        r"",
        "the file is no model that this function can read, or it is cut short: check its size and how it was saved, "
        "and save "
        "or copy it again",
        "该文件不是此函数能读取的模型, 或不完整: 请检查文件大小和保存方式, 重新保存或复制",
        code=Code.MODEL_BROKEN,
        file="/torch/serialization.py",
    ),
    advice(
        "UnpicklingError",
        "",
        r"",
        "the file is cut short or no pickle: it was perhaps still being written, or was saved by another library",
        "文件不完整或不是pickle格式: 可能写入中断, 或由其他库保存",
    ),
    advice(
        "EOFError",
        "EOF when reading a line",
        r"",
        "the program asks a question with input(), and nobody can answer in a job: pass the value as a parameter",
        "程序用input()提问, 而任务中无人应答: 请改用参数传入",
    ),
    advice(
        "EOFError BadGzipFile BadZipFile LZMAError",
        "",
        r"",
        "the file is empty, cut short or no archive: it was perhaps still being written; save, copy or download it "
        "again",
        "文件为空、不完整或不是压缩文件: 可能写入中断, 请重新保存、复制或下载",
    ),
    advice(
        "",
        "file signature not found|truncated file|Unable to synchronously open file|Unable to open file",
        r"No such file or directory",
        "there is no such HDF5 file where the job runs: check the path, and that it is inside the mounted folders",
        "任务运行环境中不存在该HDF5文件: 请检查路径, 并确认它位于已挂载的目录内",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "",
        "file signature not found|truncated file",
        r"file signature not found|truncated file",
        "the file is damaged or no HDF5 (.h5): it was perhaps cut off while it was written or copied; do that again",
        "文件已损坏或不是HDF5 (.h5): 可能在写入或复制时中断, 请重新保存或复制",
    ),
    advice(
        "RuntimeError",
        "Parent directory",
        r"Parent directory (\S{1,300}) does not exist",
        "the folder {1} does not exist: make it first with os.makedirs(..., exist_ok=True), inside the output folder",
        "目录{1}不存在: 请先用os.makedirs(..., exist_ok=True)在输出目录内创建",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "RuntimeError",
        "Some tensors share memory",
        r"",
        "two names stand for one tensor, which safetensors cannot save: use safetensors.torch.save_model, or "
        "save_pretrained(safe_serialization=False)",
        "两个名称指向同一张量, safetensors无法保存: 请用safetensors.torch.save_model, "
        "或save_pretrained(safe_serialization=False)",
    ),
    advice(
        "",
        "No valid checkpoint found",
        r"",
        "there is no checkpoint to resume from in the output folder: start anew, without resume_from_checkpoint",
        "输出目录中没有可恢复的检查点: 请去掉resume_from_checkpoint重新开始",
    ),
    advice(
        "ValueError",
        "contains pickled (object) data|allow_pickle=False",
        r"",
        "the file holds Python objects, or is no .npy file at all: if you trust it, use np.load(..., "
        "allow_pickle=True)",
        "文件含有Python对象, 或根本不是.npy文件: 若信任该文件, 请用np.load(..., allow_pickle=True)",
    ),
)
"""Tried in this order; the first that holds speaks."""
