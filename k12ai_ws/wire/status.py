"""The states of a job's life and the closed list of the causes of its end."""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job is in its life. The last four are terminal, and a job reaches exactly one of them."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after this state."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.LOST})


class Reason(StrEnum):
    """Why a job ended: the cause of death."""

    COMPLETED = "completed"
    EXIT_CODE = "exit_code"
    EXCEPTION = "exception"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out_of_memory"
    GPU_OUT_OF_MEMORY = "gpu_out_of_memory"
    STOPPED_BY_USER = "stopped_by_user"
    TIME_LIMIT = "time_limit"
    COMMAND_NOT_FOUND = "command_not_found"
    IMAGE_MISSING = "image_missing"
    LAUNCH_FAILED = "launch_failed"
    ENGINE_FAILED = "engine_failed"
    HOST_LOST = "host_lost"
