"""What is kept, how much of it, and for how long: `[retention]`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from .section import Bytes, Count, Seconds, Section

Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Points = Annotated[int, Field(ge=4)]
"""A bucket of a plot keeps its first, its last, its lowest and its highest point."""


class RetentionSettings(Section):
    """`[retention]`: what goes when it is old, and what goes when there is no more room."""

    interval_s: Seconds = Field(default=600.0, description="Seconds between two looks at what has to go.")
    step_events: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="Events removed in one transaction at most; between two, waiting appends go first."
    )
    log_days: Days | None = Field(
        default=None, description="Log lines go so many days after their job's end; no default: when room is needed."
    )
    progress_days: Days | None = Field(default=None, description="Progress, likewise; no default.")
    metrics_days: Days | None = Field(default=None, description="Metrics, likewise; no default.")
    job_days: Days | None = Field(
        default=None, description="Jobs go with all that is stored of them so many days after their end; no default."
    )
    raw_log_days: Days | None = Field(
        default=None, description="Raw log files go so many days after their job's end; no default."
    )
    thin_days: Days | None = Field(
        default=None, description="Metrics are thinned so many days after their job's end; no default."
    )
    thin_points: Points = Field(
        default=2000,
        description="Points of each metric that thinning leaves, about; minima and maxima are never lost.",
    )
    max_job_events: Count = Field(default=2_000_000, description="Events kept of one job.")
    max_job_bytes: Bytes = Field(default=1 << 30, description="Bytes of events kept of one job.")
    max_events: Count = Field(default=100_000_000, description="Events kept of all jobs together.")
    max_bytes: Bytes = Field(default=20 << 30, description="Bytes of events and requests kept of all jobs together.")
    max_jobs: Count = Field(default=100_000, description="Jobs kept; the longest ended go first.")
    max_raw_log_bytes: Bytes = Field(
        default=20 << 30, description="Bytes of the raw log files of ended jobs; the longest ended go first."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Errors outlive metrics, and metrics outlive log lines."""
        names = ("log_days", "progress_days", "metrics_days", "job_days")
        for i, name in enumerate(names):
            for longer in names[i + 1 :]:
                mine, other = getattr(self, name), getattr(self, longer)
                if mine is not None and other is not None and mine > other:
                    raise ValueError(
                        f"{name} = {mine:g} is longer than {longer} = {other:g}: log lines go before metrics, and "
                        "those before the job"
                    )
        return self
