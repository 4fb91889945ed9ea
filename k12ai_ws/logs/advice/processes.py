"""Advice on worker processes, pickling, and training on several processes."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

PROCESSES: tuple[Advice, ...] = (
    advice(
        "",
        "DataLoader worker",
        r"DataLoader worker .{0,60}(?:killed by signal|exited unexpectedly)",
        "a data loading process was killed, mostly for want of memory: use fewer workers (num_workers), smaller "
        "batches, or "
        "more memory",
        "数据加载进程被终止, 多为内存不足: 请减少num_workers、减小batch, 或增大内存",
        code=Code.KILLED_BY_SIGNAL,
    ),
    advice(
        "",
        "DataLoader timed out",
        r"timed out after (\d+) seconds",
        "no batch came within {1} s: reading is too slow or a worker hangs; use a longer timeout, or num_workers=0 "
        "to see why",
        "{1}秒内没有读到数据: 读取过慢或工作进程卡住, 请增大timeout, 或设num_workers=0排查原因",
    ),
    advice(
        "",
        "bootstrapping phase",
        r"",
        "worker processes import the script anew: put the code that starts the training under if __name__ == "
        '"__main__":',
        '子进程会重新导入脚本: 请将启动训练的代码放到if __name__ == "__main__":之下',
    ),
    advice(
        "",
        "process pool was terminated abruptly|process pool is not usable anymore|worker process managed by the "
        "executor was",
        r"",
        "a worker process died without a word, mostly for want of memory: use fewer processes (n_jobs, max_workers) "
        "or less "
        "data for each",
        "工作进程意外退出, 多为内存不足: 请减少进程数 (n_jobs、max_workers) 或每个进程的数据量",
        code=Code.KILLED_BY_SIGNAL,
    ),
    advice(
        "ProcessExitedException",
        "terminated with signal",
        r"process (\d+) terminated with signal (\w{1,80})",
        "worker process {1} was ended by {2}: SIGKILL is mostly a lack of memory, SIGSEGV a fault in a library",
        "子进程{1}被{2}终止: SIGKILL多为内存不足, SIGSEGV多为库内部错误",
        code=Code.KILLED_BY_SIGNAL,
    ),
    advice(
        "ProcessExitedException",
        "terminated with exit code",
        r"process (\d+) terminated with exit code (\d+)",
        "worker process {1} ended with exit code {2}: its own messages stand above",
        "子进程{1}以退出码{2}结束: 请查看上方它自己的输出",
        code=Code.COMMAND_FAILED,
    ),
    advice(
        "",
        "Can't pickle|cannot pickle|Can't get local object",
        r"[Cc]an(?:'|no)t (?:pickle|get)(?: local)?(?: object)? (?:'|<(?:function |class '))?([\w.<>]{1,80})",
        "{1} cannot be sent to a worker process or saved: define functions and classes at the top of a module (no "
        "lambda), "
        "or use num_workers=0",
        "{1}无法传给子进程或保存: 请在模块顶层定义函数和类 (不要用lambda), 或设num_workers=0",
    ),
    advice(
        "AttributeError",
        "Can't get attribute",
        r"Can't get attribute '(\w{1,80})' on <module '([\w.]{1,200})'",
        "the saved file needs {1} from {2}, which is not there: import or define it under that name before loading",
        "保存的文件需要{2}中的{1}, 但找不到: 请在加载前以同样的名称导入或定义它",
    ),
    advice(
        "",
        "environment variable",
        r"environment variable (RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT|LOCAL_RANK) expected, but not set",
        "{1} is not set: start the script with torchrun, or set it yourself for one process",
        "未设置{1}: 请用torchrun启动脚本, 或在单进程时自行设置",
        code=Code.CONFIGURATION,
    ),
    advice(
        "KeyError",
        "RANK|WORLD_SIZE|MASTER_",
        r"^'?(RANK|LOCAL_RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT)'?$",
        "the variable {1} is not set: start the script with torchrun, or use os.environ.get with a default",
        "未设置环境变量{1}: 请用torchrun启动脚本, 或用os.environ.get并给出默认值",
    ),
    advice(
        "KeyError",
        "",
        r"^'?([A-Za-z_]\w*)'?$",
        "the environment variable {1} is not set: set it for the job, or use os.environ.get with a default",
        "未设置环境变量{1}: 请为任务设置该变量, 或用os.environ.get并给出默认值",
        source=r"os\.environ\[|\benviron\[",
    ),
    advice(
        "",
        "Default process group has not been initialized",
        r"",
        "a distributed function ran before init_process_group(): call that first, or leave the function out with one "
        "process",
        "在init_process_group()之前调用了分布式函数: 请先初始化, 或在单进程时跳过该函数",
    ),
    advice(
        "",
        "ddress already in use|EADDRINUSE",
        r"",
        "the port is taken, perhaps by an earlier run: choose another MASTER_PORT (or 0), or wait until that run has "
        "ended",
        "端口已被占用, 可能是之前的运行尚未结束: 请更换MASTER_PORT (或设为0), 或等待其结束",
    ),
    advice(
        "",
        "waiting for clients",
        r"waiting for clients\. (\d+)/(\d+) clients joined",
        "only {1} of {2} processes of this training came together: start as many as WORLD_SIZE says, and look whether "
        "one failed before",
        "本次训练的{2}个进程只有{1}个连接成功: 请启动与WORLD_SIZE一致的进程数, 并查看是否有进程先出错",
    ),
    advice(
        "",
        "Watchdog caught collective operation timeout|Timed out waiting|Timeout waiting for key|wait timeout after",
        r"",
        "the processes waited for each other in vain: one died or took another path; look at the first that failed",
        "各进程互相等待超时: 其中一个已退出或执行了不同的分支, 请查看最早失败的进程",
    ),
    advice(
        "",
        "NCCL|ncclInternalError|ncclSystemError|ncclUnhandledCudaError",
        r"NCCL (?:error|communicator|WARN|Error)|nccl(?:Internal|System|Remote|UnhandledCuda|InvalidUsage)\w*"
        r"|NCCL backend in DistributedDataParallel|Duplicate GPU detected|ProcessGroupNCCL is only supported with GPUs",
        "the GPUs could not talk to each other (NCCL): look at the first process that failed, check that each has a "
        "GPU of "
        "its own, and set NCCL_DEBUG=INFO for the reason",
        "GPU之间通信失败 (NCCL): 请先看最早失败的进程, 确认每个进程使用各自的GPU, 并设置NCCL_DEBUG=INFO查看原因",
    ),
    advice(
        "",
        "onnection closed by peer|onnection reset by peer|Gloo connectFullMesh|gloo/transport",
        r"(?:gloo|Gloo|NCCL|c10d|TCPStore|/transport/)",
        "another process of this training has ended, and this one lost its connection: look at the first that failed",
        "本次训练的另一个进程已退出, 因而连接中断: 请查看最早失败的进程",
    ),
    advice(
        "",
        "TCPStore|rendezvous|c10d::",
        r"client socket has timed out|failed to connect|Connection refused|rendezvous|RendezvousTimeout",
        "the processes did not find each other: check MASTER_ADDR, MASTER_PORT and that as many were started as "
        "WORLD_SIZE says",
        "各进程未能互相连接: 请检查MASTER_ADDR、MASTER_PORT, 以及启动的进程数是否等于WORLD_SIZE",
    ),
    advice(
        "ChildFailedError",
        "",
        r"",
        "a process of this training failed; its own error, printed above, is the cause",
        "训练中的某个进程失败: 真正的原因是上方它自己的报错",
    ),
    advice(
        "",
        "Expected to have finished reduction in the prior iteration",
        r"",
        "some parameters took no part in the loss: use them all, or DistributedDataParallel(..., "
        "find_unused_parameters=True)",
        "部分参数没有参与损失计算: 请确保全部使用, 或设find_unused_parameters=True",
    ),
    advice(
        "",
        "Expected to mark a variable ready only once",
        r"",
        "a parameter was used twice in one step under DistributedDataParallel: with gradient checkpointing set "
        "use_reentrant=False, and leave find_unused_parameters off",
        "DistributedDataParallel下某参数在一步中被使用两次: 使用梯度检查点时请设use_reentrant=False, 并关闭"
        "find_unused_parameters",
    ),
    advice(
        "",
        "daemonic processes are not allowed to have children",
        r"",
        "a worker process may not start further ones: use num_workers=0 or n_jobs=1 inside it",
        "工作进程不能再创建子进程: 请在其中使用num_workers=0或n_jobs=1",
    ),
    advice(
        "",
        "can't start new thread|Resource temporarily unavailable|pthread_create failed",
        r"",
        "the limit of threads or processes is reached: use fewer workers, and set OMP_NUM_THREADS=1",
        "线程或进程数达到上限: 请减少num_workers, 并设置OMP_NUM_THREADS=1",
    ),
    advice(
        "",
        "libiomp5|libomp|KMP_DUPLICATE_LIB_OK",
        r"already initialized|KMP_DUPLICATE_LIB_OK",
        "two copies of OpenMP, the library for threads, were loaded: install numpy and torch from one source (all "
        "pip or "
        "all conda)",
        "加载了两份OpenMP库: 请从同一来源安装numpy和torch (都用pip或都用conda)",
    ),
    advice(
        "CalledProcessError",
        "returned non-zero exit status",
        r"Command '?(.{1,120}?)'? returned non-zero exit status (\d+)",
        "the command {1} failed with exit code {2}: its own output says why",
        "命令{1}以退出码{2}失败: 请查看其自身的输出",
    ),
    advice(
        "CalledProcessError",
        "died with",
        r"Command '?(.{1,120}?)'? died with <Signals\.(\w{1,80})",
        "the command {1} was ended by {2}: SIGKILL is mostly a lack of memory",
        "命令{1}被{2}终止: SIGKILL多为内存不足",
    ),
    advice(
        "TimeoutExpired",
        "",
        r"Command '?(.{1,120}?)'? timed out after ([\d.]{1,6})",
        "the command {1} did not end within {2} s: it waits for something (input, network), or needs a longer timeout",
        "命令{1}未能在{2}秒内结束: 它可能在等待输入或网络, 或需要更长的timeout",
    ),
    advice(
        "BrokenPipeError",
        "",
        r"",
        "the program or connection that was to read the output has ended: look at the other side's error first",
        "读取输出的程序或连接已结束: 请先查看对方的报错",
    ),
    advice(
        "KeyboardInterrupt",
        "",
        r"",
        "the program was interrupted from outside (Ctrl+C, a stop request or the scheduler); the code shown is only "
        "where it "
        "happened to be",
        "程序被外部中断 (Ctrl+C、停止请求或调度器); 所示代码只是中断时的位置",
    ),
)
"""Tried in this order; the first that holds speaks."""
