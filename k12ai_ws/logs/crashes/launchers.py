"""What launchers of many processes say when one of them ends badly.

Sources: Slurm's srun and slurmstepd, Open MPI's and MPICH's mpirun, DeepSpeed's launcher. Torchrun's summary is the
text of a Python exception, and read there.
"""

from .kind import Kind, Policy, pattern

_STAMP = r"(?:\[[^\]\[]{1,80}\] ){1,3}"

LAUNCHERS: tuple[Kind, ...] = (
    Kind(
        "slurm-cancelled",
        ("CANCELLED",),
        pattern(
            r"(?:slurmstepd|srun)(?:-\S{1,100})?: error: (?P<text>\*{3} (?:JOB|STEP) \S{1,60} (?:STEPD TERMINATED )?ON "
            r"\S{1,200} CANCELLED AT \S{1,60}(?: DUE TO (?P<type>.{1,200}?))? \*{3})$"
        ),
        Policy.FATAL,
        "slurm",
        "JobCancelled",
    ),
    Kind(
        "slurm-memory",
        ("oom", "memory limit", "Out Of Memory"),
        pattern(
            r"(?:slurmstepd|srun)(?:-\S{1,100})?: error: (?P<text>Detected \d{1,9} oom[_-]kill events?\b.{0,400}"
            r"|.{0,200}?[Ee]xceeded (?:job |step )?(?:virtual )?memory limit.{0,200}"
            r"|\S{1,200}: tasks? (?P<rank>\d{1,6})[\d,-]{0,200}: Out Of Memory)$"
        ),
        Policy.OPEN,
        "slurm",
        "OutOfMemory",
        more=pattern(r"srun: error: |srun: (?:launch/slurm|Terminating|Job step|First task)|slurmstepd: error: "),
    ),
    Kind(
        "srun",
        (": task",),
        pattern(
            r"srun: error: (?P<text>\S{1,200}: tasks? (?P<rank>\d{1,6})[\d,-]{0,200}: (?:Exited with exit code \d{1,5}"
            r"|(?P<type>Killed|Segmentation fault|Aborted|Bus error|Terminated|Illegal instruction)).{0,80})$"
        ),
        Policy.SUMMARY,
        "slurm",
        "ProcessFailed",
        more=pattern(r"srun: (?:error|launch/slurm|Terminating|Job step|First task)|slurmstepd: error: "),
    ),
    Kind(
        "mpirun",
        ("noticed that process rank", "non-zero status"),
        pattern(
            r"(?P<text>(?:mpirun|mpiexec|prterun|orterun)\S{0,40} (?:noticed that process rank (?P<rank>\d{1,6}) "
            r"with PID \d{1,9} on node \S{1,200} exited on signal \d{1,3} \((?P<type>[^()]{1,60})\)"
            r"|detected that one or more "
            r"processes exited with non-zero status).{0,200})$"
        ),
        Policy.SUMMARY,
        "mpi",
        "ProcessFailed",
        more=pattern(r"to be terminated|\s{0,4}Process name: |\s{0,4}Exit code: |-{20,}$"),
        text_lines=2,
    ),
    Kind(
        "mpi-abort",
        ("errorcode", "MPI_ABORT", "MPI_Abort"),
        pattern(
            r"with errorcode (?P<code>-?\d{1,10})\.?$"
            r"|(?P<text>application called MPI_Abort\(.{1,200}\) - process (?P<rank>\d{1,6}).{0,100})$"
        ),
        Policy.SUMMARY,
        "mpi",
        "MPI_ABORT",
        before=pattern(r"(?P<text>MPI_ABORT was invoked on rank (?P<rank>\d{1,6}).{0,200})$"),
    ),
    Kind(
        "deepspeed",
        ("Killing subprocess",),
        pattern(rf"{_STAMP}?\[launch\.py:\d{{1,6}}:sigkill_handler\] Killing subprocess \d{{1,10}}$"),
        Policy.SUMMARY,
        "deepspeed",
        "ProcessFailed",
        counted=True,
        head=pattern(
            rf"{_STAMP}?\[launch\.py:\d{{1,6}}:sigkill_handler\] "
            r"(?P<text>.{0,8000}exits with return code = -?\d{1,6})$"
        ),
        proof=pattern(rf"{_STAMP}?\[launch\.py:\d{{1,6}}:sigkill_handler\] .{{0,8000}}exits with return code = "),
    ),
)
