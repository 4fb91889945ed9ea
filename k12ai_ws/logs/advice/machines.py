"""Advice on memory, devices, processes and disks."""

from .entry import Advice, advice

MACHINES: tuple[Advice, ...] = (
    advice(
        "",
        r"(?:CUDA|HIP) out of memory.*?Tried to allocate ([\d.]+ ?\w+)(?:.*?total capacity of ([\d.]+ ?\w+))?",
        "the GPU had no {1} left: use a smaller batch or input, mixed precision, or gradient accumulation",
        "GPU显存不足以再分配{1}: 请减小batch或输入尺寸, 或使用混合精度、梯度累积",
    ),
    advice(
        "",
        r"CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory is full: use a smaller batch, or free the GPU from other programs",
        "GPU显存已满: 请减小batch, 或结束占用该GPU的其他程序",
    ),
    advice(
        "",
        r"device-side assert triggered",
        "a kernel on the GPU failed, most often because a label or index is outside the number of "
        "classes: run once on the CPU to see the line",
        "GPU内核断言失败, 最常见的原因是标签或索引超出类别数: 请在CPU上运行一次以定位出错行",
    ),
    advice(
        "",
        r"Expected all tensors to be on the same device.*?(cuda:\d|cpu).*?(cuda:\d|cpu)",
        "one tensor is on {1} and another on {2}: move model and data to the same device with .to(device)",
        "一个张量在{1}, 另一个在{2}: 请用.to(device)将模型和数据放到同一设备",
    ),
    advice(
        "",
        r"Found no NVIDIA driver|No CUDA GPUs are available|Torch not compiled with CUDA enabled|CUDA "
        r"driver version is insufficient",
        "this machine offers no usable GPU to the program: choose device 'cpu', or start the job with GPUs",
        "程序在此机器上找不到可用的GPU: 请将设备设为cpu, 或为任务申请GPU",
    ),
    advice(
        "",
        r"invalid device ordinal",
        "a GPU was asked for by a number that does not exist here: count with torch.cuda.device_count()",
        "指定的GPU编号不存在: 请用torch.cuda.device_count()查看数量",
    ),
    advice(
        "",
        r"NCCL (?:error|communicator|WARN)|ncclInternalError|ncclSystemError|ncclUnhandledCudaError",
        "the GPUs could not talk to each other: look at the first rank that failed, and set "
        "NCCL_DEBUG=INFO for the reason",
        "GPU之间通信失败: 请先看最早失败的rank, 并设置NCCL_DEBUG=INFO查看原因",
    ),
    advice(
        "",
        r"Watchdog caught collective operation timeout|Timed out waiting.*?rank",
        "the ranks waited for each other in vain: one died or took another path; look at the first that failed",
        "各rank互相等待超时: 其中一个已退出或执行了不同的分支, 请查看最早失败的rank",
    ),
    advice(
        "",
        r"[Aa]ddress already in use",
        "the port is taken, perhaps by an earlier run: choose another MASTER_PORT or wait until that run has ended",
        "端口已被占用, 可能是之前的运行尚未结束: 请更换MASTER_PORT或等待其结束",
    ),
    advice(
        "",
        r"DataLoader worker .*?(?:killed by signal|exited unexpectedly)",
        "a data loading process was killed, mostly for want of memory: use fewer workers, smaller "
        "batches, or more shared memory",
        "数据加载进程被终止, 多为内存不足: 请减少num_workers、减小batch, 或增大共享内存",
    ),
    advice(
        "",
        r"insufficient shared memory|unable to (?:open|mmap|write).*shared memory|No space left on "
        r"device.*?/dev/shm|Bus error",
        "shared memory is too small for the data loader: use num_workers=0, or give the container a bigger /dev/shm",
        "共享内存太小, 数据加载器无法工作: 请设num_workers=0, 或为容器增大/dev/shm",
    ),
    advice(
        "",
        r"No space left on device|Disk quota exceeded",
        "the disk is full: remove old checkpoints, or save fewer of them",
        "磁盘已满: 请删除旧的检查点, 或减少保存次数",
    ),
    advice(
        "",
        r"Too many open files",
        "too many files are open: close them (with open(...) as f), or use fewer workers",
        "打开的文件过多: 请及时关闭 (with open(...) as f), 或减少num_workers",
    ),
    advice(
        "",
        r"can't allocate memory: you tried to allocate (\d+) bytes",
        "the machine had no {1} bytes left: load the data in pieces or use a smaller batch",
        "内存不足以再分配{1}字节: 请分块加载数据或减小batch",
    ),
    advice(
        "MemoryError _ArrayMemoryError",
        r"Unable to allocate ([\d.]+ \w+)(?: for an array with shape (\([^)]*\)))?",
        "an array needs {1}, more than is left: use a smaller type, fewer rows, or numpy.memmap",
        "一个数组需要{1}, 超出剩余内存: 请使用更小的数据类型、更少的行, 或numpy.memmap",
    ),
    advice(
        "MemoryError",
        r"",
        "the machine had no memory left: load the data in pieces, or use a smaller batch or type",
        "内存不足: 请分块加载数据, 或使用更小的batch或数据类型",
    ),
)
"""Tried in this order; the first that holds speaks."""
