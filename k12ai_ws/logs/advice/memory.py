"""Advice on memory, of GPUs and of machines, and on disks."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

_SIZE = r"(?<![\d.,])\d[\d.,]{0,24} ?(?:[KMGTP]i?B|bytes)"

MEMORY: tuple[Advice, ...] = (
    advice(
        "",
        "out of memory. Tried to allocate|Out of memory allocating|out of memory (allocated so far|out of memory "
        "trying to allocate|CUDA out "
        "of mem"
        "ory|HIP out of memory|XPU out of memory|would exceed allowed memory",
        r"",
        "the GPU had no room left[[ for {tried}]][[ ({free} of its {total} were free)]]: use a smaller batch or "
        "input size, mixed "
        "precision or gradient accumulation[[; {unused} lie reserved but unused, so "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True may help too]]",
        "GPU显存不足[[, 无法再分配{tried}]][[ (共{total}, 剩余{free})]]: 请减小batch或输入尺寸, 或使用混合精度、梯度"
        "累积[["
        "; 有{unused}已预留但未使用, 也可设置PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True]]",
        code=Code.GPU_OUT_OF_MEMORY,
        facts=rf"[Tt]r(?:ied|ying) to allocate (?P<tried>{_SIZE})|capac\w+ of (?P<total>{_SIZE})"
        rf"|(?P<total_2>{_SIZE}) total capacity|of which (?P<free>{_SIZE}) is free|(?P<free_2>{_SIZE}) free"
        rf"|(?P<unused>(?<![\d.])\d[\d.]{{0,24}} GiB) is reserved by PyTorch but unallocated|Out of memory allocating "
        rf"(?P<tried_2>{_SIZE})",
    ),
    advice(
        "",
        "MPS backend out of memory",
        rf"Tried to allocate ({_SIZE})",
        "the GPU of this Mac had no room for {1}: use a smaller batch or input size, or device 'cpu'",
        "此Mac的GPU显存不足以再分配{1}: 请减小batch或输入尺寸, 或改用cpu",
        code=Code.GPU_OUT_OF_MEMORY,
    ),
    advice(
        "",
        "CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED"
        "|CUDNN_STATUS_ALLOC_FAILED|hipErrorOutOfMemory",
        r"",
        "the GPU's memory is full: use a smaller batch, or free the GPU from other programs",
        "GPU显存已满: 请减小batch, 或结束占用该GPU的其他程序",
        code=Code.GPU_OUT_OF_MEMORY,
    ),
    advice(
        "",
        "OOM when allocating tensor",
        r"shape ?(\[[\d,]+\]).*?device:GPU",
        "the GPU had no room for a tensor of shape {1}: use a smaller batch or input size, or mixed precision",
        "GPU显存不足, 无法分配形状为{1}的张量: 请减小batch或输入尺寸, 或使用混合精度",
        code=Code.GPU_OUT_OF_MEMORY,
    ),
    advice(
        "",
        "OOM when allocating tensor",
        r"shape ?(\[[\d,]+\])",
        "the machine had no memory for a tensor of shape {1}: use a smaller batch, or load the data in pieces",
        "内存不足, 无法分配形状为{1}的张量: 请减小batch, 或分块加载数据",
        code=Code.OUT_OF_MEMORY,
    ),
    advice(
        "",
        "RESOURCE_EXHAUSTED",
        r"[Oo]ut of memory (?:while )?(?:trying to allocate|allocating) (\d+(?:[.\d]*[KMGT]iB)?)",
        "the device had no room for {1} (bytes, where no unit stands): use a smaller batch or model, or shard it",
        "设备内存不足以再分配{1} (未写单位时为字节): 请减小batch或模型, 或将其分片",
        code=Code.GPU_OUT_OF_MEMORY,
    ),
    advice(
        "",
        "you tried to allocate|not enough memory:",
        r"tried to allocate (\d+) bytes",
        "the machine had no {1} bytes left: load the data in pieces, use a smaller batch, or check a size that was "
        "computed wrong",
        "内存不足以再分配{1}字节: 请分块加载数据、减小batch, 或检查是否算错了大小",
        code=Code.OUT_OF_MEMORY,
    ),
    advice(
        "MemoryError _ArrayMemoryError",
        "Unable to allocate",
        r"Unable to allocate ([\d.]+ \w{1,80})(?: for an array with shape (\([^)]{0,300}\)))?",
        "an array[[ of shape {2}]] needs {1}, more than is left: use a smaller type, fewer rows, or numpy.memmap",
        "一个数组[[ (形状{2})]]需要{1}, 超出剩余内存: 请使用更小的数据类型、更少的行, 或numpy.memmap",
    ),
    advice(
        "MemoryError _ArrayMemoryError ArrowMemoryError",
        "",
        r"",
        "the machine had no memory left: load the data in pieces, or use a smaller batch or type",
        "内存不足: 请分块加载数据, 或使用更小的batch或数据类型",
    ),
    advice(
        "",
        "Cannot allocate memory",
        r"",
        "the machine had no memory left for another process or buffer: use fewer workers (num_workers), or a smaller "
        "batch",
        "内存不足, 无法再创建进程或缓冲区: 请减少num_workers或减小batch",
        code=Code.OUT_OF_MEMORY,
    ),
    advice(
        "OutOfMemoryError",
        "ray|Ray|worker",
        r"",
        "the machine ran out of memory and Ray stopped a task: run fewer tasks at once, or give each more memory",
        "机器内存不足, Ray终止了任务: 请减少同时运行的任务, 或为每个任务预留更多内存",
    ),
    advice(
        "",
        "shared memory|/dev/shm|torch_shm_manager|Bus error|file </torch_",
        r"insufficient shared memory|out of shared memory"
        r"|unable to (?:open|mmap|write|resize|allocate)(?![^\n]*Too many open files).{0,40}"
        r"(?:shared memory|</torch_\d)"
        r"|No space left on device.*?/dev/shm|/dev/shm.*?No space left|Bus error",
        "shared memory (/dev/shm) is too small for the data loader: use num_workers=0, or give the job more "
        "(resources.shm)",
        "共享内存 (/dev/shm) 太小, 数据加载器无法工作: 请设num_workers=0, 或为任务增大共享内存 (resources.shm)",
        code=Code.OUT_OF_MEMORY,
    ),
    advice(
        "",
        "No space left on device",
        r"No space left on device(?:: '([^']{1,300})')?",
        "the disk is full[[ (while writing {1})]]: remove old checkpoints, save fewer of them, or ask for more space",
        "磁盘已满[[ (写入{1}时)]]: 请删除旧的检查点, 减少保存次数, 或申请更多空间",
    ),
    advice(
        "",
        "Disk quota exceeded",
        r"",
        "your share of the disk is used up: remove old checkpoints and outputs",
        "磁盘配额已用尽: 请删除旧的检查点和输出",
    ),
    advice(
        "",
        "Too many open files|received 0 items of ancdata",
        r"",
        "too many files are open at once: close them (with open(...) as f), or use fewer workers",
        "同时打开的文件过多: 请及时关闭 (with open(...) as f), 或减少num_workers",
    ),
    advice(
        "",
        "file write failed|unexpected pos|inline_container.cc",
        r"PytorchStreamWriter failed writing file|file write failed|unexpected pos \d+ vs \d+",
        "the checkpoint could not be written whole: most often the disk is full; remove old checkpoints",
        "检查点未能完整写入: 多半是磁盘已满, 请删除旧的检查点",
    ),
)
"""Tried in this order; the first that holds speaks."""
