"""How logs are read and what becomes of events: `[logs]`, `[store]` and `[stats]`."""

from typing import Any, Literal

from pydantic import Field, field_validator

from .section import Seconds, Section


class StoreSettings(Section):
    """`[store]`: the durable log of jobs and events."""

    synchronous: Literal["full", "normal"] = Field(
        default="full",
        description="full: a power cut loses no stored event. normal: faster, but a power cut may lose the last ones.",
    )


class LogsSettings(Section):
    """`[logs]`: how the logs of jobs are read."""

    rules: tuple[Any, ...] | None = Field(
        default=None,
        description="Rules that read the logs of all jobs, or of some services or tasks, beside what their drivers "
        "chose (docs/rules.md): a list of tables, each also written as a section [[logs.rules]]; no default.",
    )

    @field_validator("rules")
    @classmethod
    def _usable(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        from k12ai_ws.logs.rules import read_configured  # RE2 is loaded only where there is a rule

        if value:
            read_configured(value, "logs.rules")
        return value


class StatsSettings(Section):
    """`[stats]`: host statistics."""

    interval_s: Seconds = Field(default=1.0, description="A sample is not older than so many seconds.")
