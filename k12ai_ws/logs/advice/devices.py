"""Advice on GPUs, their drivers and libraries, and on devices in general."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

DEVICES: tuple[Advice, ...] = (
    advice(
        "",
        "device-side assert triggered",
        r"",
        "a calculation on the GPU failed its check, most often because a label or index is outside the number of "
        "classes: run once on the CPU to see the line",
        "GPU上的计算未通过检查, 最常见的原因是标签或索引超出类别数: 请在CPU上运行一次以定位出错行",
        code=Code.ASSERTION,
    ),
    advice(
        "",
        "no kernel image is available|is not compatible with the current PyTorch installation",
        r"",
        "this build of the library has no code for this GPU (it is too new or too old for it): use an image whose "
        "PyTorch "
        "and CUDA fit the GPU",
        "当前安装的库不支持此GPU (型号过新或过旧): 请使用与该GPU匹配的PyTorch和CUDA镜像",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "driver on your system is too old|driver version is insufficient|CUDA driver is a stub",
        r"(?:found version (\d+))?",
        "the machine's NVIDIA driver is too old for this CUDA version: use an image with an older CUDA, or ask the "
        "operator to update the driver",
        "机器的NVIDIA驱动版本过旧, 不支持此CUDA: 请使用CUDA版本较低的镜像, 或请管理员升级驱动",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "Torch not compiled with CUDA enabled|_cuda_setDevice|_cuda_getDeviceCount|_cuda_isDriverSufficient",
        r"",
        "this PyTorch is built for CPUs alone: choose device 'cpu', or an image whose PyTorch has CUDA",
        "此PyTorch仅支持CPU: 请将设备设为cpu, 或使用带CUDA的PyTorch镜像",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "Found no NVIDIA driver|No CUDA GPUs are available|no CUDA-capable device|CUDA_ERROR_NO_DEVICE"
        "|torch.cuda.is_availab"
        "le() is False|No OpenCL device found|No visible GPU|Unable to initialize backend 'cuda'|setup doesn't "
        "support bf16"
        "/gpu",
        r"",
        "the job sees no GPU that it could use: choose device 'cpu' (for a file: map_location='cpu'), or start it "
        "with GPUs",
        "任务看不到可用的GPU: 请将设备设为cpu (读取文件时用map_location='cpu'), 或为任务申请GPU",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "CUDA Tree Learner was not enabled|GPU Tree Learner was not enabled|not compiled with CUDA|not compiled with "
        "GPU",
        r"",
        "this build of the library cannot use GPUs: choose its CPU device, or install its build for GPUs",
        "此版本的库不支持GPU: 请改用CPU, 或安装支持GPU的版本",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "invalid device ordinal",
        r"",
        "a GPU was asked for by a number that does not exist here: they count from 0, and torch.cuda.device_count() "
        "says "
        "how many there are",
        "指定的GPU编号不存在: 编号从0开始, 可用torch.cuda.device_count()查看数量",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "Attempting to deserialize object on CUDA device",
        r"on CUDA device (\d+) but torch\.cuda\.device_count\(\) is (\d+)",
        "the file was saved from GPU {1}, and here are {2}: load it with map_location='cpu' or 'cuda:0'",
        "该文件保存自GPU {1}, 而此处只有{2}个GPU: 请用map_location='cpu'或'cuda:0'加载",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "device type at start of device string",
        r"device string: (\S{1,300})",
        "{1} is no device that PyTorch knows: write 'cpu', 'cuda' or 'cuda:0'",
        "PyTorch不认识设备{1}: 请写'cpu'、'cuda'或'cuda:0'",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "Expected all tensors to be on the same device|is on CPU, but expected them to be on GPU|found at least two "
        "devices",
        r"(cuda:\d+|cpu)\b[\s\S]{0,200}?(?!\1)\b(cuda:\d+|cpu)\b",
        "one tensor is on {1} and another on {2}: move model and data to the same device with .to(device)",
        "一个张量在{1}, 另一个在{2}: 请用.to(device)将模型和数据放到同一设备",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "must be on the current device|Expected object of device type|indices should be either on cpu|same device (",
        r"",
        "tensors of one calculation are on different devices: move model and data to the same one with .to(device)",
        "同一运算中的张量位于不同设备: 请用.to(device)将模型和数据放到同一设备",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "device type tensor to numpy",
        r"can't convert (\S{1,300}) device type tensor to numpy",
        "the tensor is on {1}: call .cpu() before .numpy()",
        "张量在{1}上: 请在.numpy()之前调用.cpu()",
    ),
    advice(
        "",
        "Cannot re-initialize CUDA in forked subprocess",
        r"",
        "a worker process used the GPU after a fork: move tensors to the GPU in the main process alone, or start "
        "workers "
        "with mp.set_start_method('spawn')",
        "子进程在fork之后使用了GPU: 请只在主进程中将张量移到GPU, 或用mp.set_start_method('spawn')启动子进程",
    ),
    advice(
        "",
        "illegal memory access|misaligned address|unspecified launch failure",
        r"",
        "a calculation on the GPU touched memory that is not its own: set CUDA_LAUNCH_BLOCKING=1 to see the line, "
        "and check "
        "indices and library versions",
        "GPU计算访问了非法内存: 请设置CUDA_LAUNCH_BLOCKING=1定位出错行, 并检查索引和库的版本",
    ),
    advice(
        "",
        "libcudnn|CUDNN_STATUS_NOT_INITIALIZED|cudnnCreate|CUDNN_STATUS_EXECUTION_FAILED|CUDNN_STATUS_INTERNAL_ERROR"
        "|FIND was unable to find an engine|GET was unable to find an engine",
        r"",
        "cuDNN, the GPU's library for neural networks, failed: most often the GPU's memory is nearly full (use a "
        "smaller "
        "batch), or its version does not fit CUDA",
        "cuDNN出错: 多半是GPU显存接近用尽 (请减小batch), 或其版本与CUDA不匹配",
    ),
    advice(
        "",
        "CUBLAS_STATUS_",
        r"(CUBLAS_STATUS_\w{1,80})",
        "the GPU's library for matrices failed ({1}): most often shapes or labels are wrong; run once on the CPU to "
        "see "
        "the true message",
        "GPU矩阵运算库出错 ({1}): 多半是形状或标签有误, 请在CPU上运行一次查看真正的报错",
    ),
    advice(
        "",
        "uncorrectable ECC error|double bit ECC",
        r"",
        "the GPU's own memory is damaged: start the job again on another GPU, and tell the operator",
        "GPU的显存硬件出错: 请换一块GPU重新运行, 并告知管理员",
    ),
    advice(
        "",
        "CUDA error: initialization error",
        r"",
        "the GPU could not be set up in this process: if a worker uses it after a fork, start workers with "
        "mp.set_start_method('spawn'), and move tensors to the GPU in the main process alone",
        "此进程无法初始化GPU: 若是fork出的子进程在使用GPU, 请用mp.set_start_method('spawn')启动, 并只在主进程中将张量"
        "移到GPU",
    ),
    advice(
        "",
        "The detected CUDA version (",
        r"detected CUDA version \(([\d.]{1,20})\) mismatches the version that was used to compile\s*PyTorch "
        r"\(([\d.]{1,20})\)",
        "the image has CUDA {1}, but its PyTorch was built with {2}, so nothing can be compiled for it: use an image "
        "where both are the same",
        "镜像中的CUDA为{1}, 而PyTorch是用{2}编译的, 无法编译扩展: 请使用两者一致的镜像",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "Placeholder storage has not been allocated on MPS",
        r"",
        "the model is on the GPU of this Mac and the data is not: move both there with .to(device)",
        "模型在此Mac的GPU上, 而数据不在: 请用.to(device)将两者放到同一设备",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "DeferredCudaCallError|CUDA call failed lazily|CUDA unknown error|CUDA initialization",
        r"",
        "the GPU could not be set up: the driver and the image's CUDA may not fit, or CUDA_VISIBLE_DEVICES names a "
        "GPU that is "
        "not there",
        "GPU初始化失败: 驱动与镜像的CUDA可能不匹配, 或CUDA_VISIBLE_DEVICES指定了不存在的GPU",
        code=Code.CONFIGURATION,
    ),
    advice(
        "",
        "not implemented for 'Half'|not implemented for 'BFloat16'|\"LayerNormKernelImpl\"",
        r"\"(\w+)\" not implemented for '(Half|BFloat16)'",
        "the CPU has no {1} for half precision ({2}): on a CPU use float32, without fp16 or autocast",
        "CPU不支持{2}半精度的{1}: 在CPU上请使用float32, 不要启用fp16或autocast",
        code=Code.NOT_IMPLEMENTED,
    ),
    advice(
        "",
        '_index" not implemented for|"cross_entropy_loss',
        r"\"(nll_loss\w*_index|cross_entropy_loss\w*)\" not implemented for '(\w+)'",
        "class labels must be whole numbers of type long, and are {2}: convert them with labels.long()",
        "类别标签必须是long类型的整数, 实际为{2}: 请用labels.long()转换",
        code=Code.TYPE_ERROR,
    ),
    advice(
        "",
        "not implemented for '",
        r"\"(\w+)\" not implemented for '(\w+)'",
        "{1} does not work on numbers of type {2}: convert the tensor first, such as with .float()",
        "{1}不支持{2}类型: 请先转换张量, 如.float()",
        code=Code.NOT_IMPLEMENTED,
    ),
    advice(
        "",
        "Could not run '",
        r"Could not run '([\w:.]{1,200})' with arguments from the '(\w{1,80})' backend",
        "{1} cannot run on {2} in this installation: move the tensor to another device, or install a build that "
        "supports it",
        "当前安装无法在{2}上运行{1}: 请将张量移到其他设备, 或安装支持它的版本",
    ),
    advice(
        "",
        "requires Ampere|bf16/gpu|supports bfloat16|FlashAttention only support",
        r"",
        "this GPU is too old for what is asked of it (bf16, FlashAttention): use fp16 and the default attention "
        "instead",
        "此GPU过旧, 不支持所需功能 (bf16、FlashAttention): 请改用fp16和默认的attention",
        code=Code.CONFIGURATION,
    ),
)
"""Tried in this order; the first that holds speaks."""
