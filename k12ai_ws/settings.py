"""The settings: frozen, read once from a TOML file and the environment (`K12AI_JOBS__MAX_RUNNING=4`).

`config/k12ai.toml` lists every setting with its default and its meaning; the environment wins over the file.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings import SettingsError as UnreadableVariable

from k12ai_ws.wire.codes import Language
from k12ai_ws.wire.requests import fields_of, message_of

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Memory = Annotated[int, Field(ge=6 << 20)]
"""An engine gives no container less than 6 MiB."""
Cores = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(Exception):
    """The configuration cannot be used; the text names the setting and says what would be right."""


class Section(BaseModel):
    """Base of the sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """`[server]`: where it listens, and what a client may send."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. There is no authentication yet: keep it on loopback.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8170, description="TCP port; 0 takes any free one.")
    max_body_bytes: Bytes = Field(default=1 << 20, description="Largest request body, in bytes.")
    body_timeout_s: Seconds = Field(
        default=30.0, description="A request's body must have arrived within so many seconds."
    )
    max_requests_running: Count = Field(
        default=256, description="REST requests handled at one time; more are answered 429."
    )


class ChannelSettings(Section):
    """`[channel]`: the WebSocket."""

    max_connections: Count = Field(default=10_000, description="Open WebSockets; more are closed with 1013.")
    max_frame_bytes: Bytes = Field(
        default=256 << 10, description="Largest frame from a client, in bytes; more closes with 1009."
    )
    max_subscriptions: Count = Field(default=64, description="Subscriptions and statistics streams per connection.")
    buffer_bytes: Bytes = Field(
        default=1 << 20, description="Unsent bytes per connection before it is fed from the store instead."
    )
    ping_interval_s: Seconds = Field(default=30.0, description="Seconds between pings.")
    pong_timeout_s: Seconds = Field(
        default=30.0, description="Seconds without a pong before the connection is closed with 4408."
    )
    bookmark_s: Seconds = Field(default=30.0, description="Seconds of silence before a subscription gets a bookmark.")


class JobsSettings(Section):
    """`[jobs]`: how many, how long, and where."""

    launcher: Literal["auto", "process", "docker"] = Field(
        default="auto",
        description="Where jobs run: docker (containers), process (local processes), or auto: docker where an engine "
        "answers at the start, else process.",
    )
    max_running: Count = Field(default=2, description="Jobs running at one time, in all.")
    max_running_per_user: Count = Field(default=2, description="Jobs running at one time, per user.")
    max_queued: Count = Field(default=1000, description="Jobs waiting; more are refused with 100210.")
    max_queued_per_user: Count = Field(default=100, description="Jobs waiting, per user.")
    cpus: Cores | None = Field(
        default=None, description="Cores for all jobs together; no default: what the machine (or the engine) has."
    )
    memory: Bytes | None = Field(
        default=None, description="Memory for all jobs together, in bytes; no default: what the machine has."
    )
    grace_s: Seconds = Field(default=10.0, description="Seconds between asking a job to stop and killing it.")
    time_limit_s: Seconds | None = Field(
        default=None, description="Longest run of a job whose driver asks for no limit (seconds); no default."
    )
    max_log_bytes: Bytes = Field(
        default=1 << 30, description="Raw log kept per job, in bytes; what is printed beyond is cut, and said."
    )


class DockerSettings(Section):
    """`[docker]`: what containers get, and what drivers may ask for."""

    host: str | None = Field(
        default=None,
        description="The engine, as in DOCKER_HOST; no default: what the environment says, else the socket.",
    )
    images: tuple[str, ...] = Field(
        default=("k12ai/*",),
        description="Patterns of the images that drivers may run; a name without a tag has :latest.",
    )
    pull: bool = Field(default=False, description="Fetch an image that the engine does not have.")
    networks: tuple[str, ...] = Field(
        default=(), description="Networks of the engine that drivers may ask for; a job has none by default."
    )
    mounts: tuple[str, ...] = Field(
        default=(),
        description="Folders of the host that drivers may mount: PATH to read, with all below; PATH:rw also to write, "
        "itself alone.",
    )
    user: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,8}:[1-9][0-9]{0,8}$",
        description="UID:GID of the containers; no default: the server's own, or 64000:64000 where that is root.",
    )
    cpus: Cores = Field(default=1.0, description="Cores of a job whose driver asks for none.")
    memory: Memory = Field(default=2 << 30, description="Memory of a job whose driver asks for none, in bytes.")
    shm: Bytes = Field(default=256 << 20, description="Shared memory of a job whose driver asks for none, in bytes.")
    tmp: Bytes = Field(default=1 << 30, description="Temporary files of a job, in bytes; they count as its memory.")
    pids: Count = Field(default=1024, description="Processes and threads of a job at one time.")
    max_cpus: Cores | None = Field(default=None, description="Most cores that a driver may ask for; no default.")
    max_memory: Memory | None = Field(default=None, description="Most memory that a driver may ask for, in bytes.")
    max_gpus: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most GPUs that a driver may ask for; no default."
    )

    @field_validator("mounts")
    @classmethod
    def _absolute_mounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not entry.startswith("/") or "\0" in entry or not Path(entry.removesuffix(":rw")).name:
                raise ValueError(f"{entry!r} is no absolute path below /, such as /srv/data or /srv/cache:rw")
        return value

    @field_validator("networks")
    @classmethod
    def _own_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name in ("host", "none", "default") or name.startswith("container:"):
                raise ValueError(f"{name!r} cannot be allowed: name a network of the engine, such as bridge")
        return value


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


class FolderSettings(Section):
    """`[folders]`: what drivers see as roles; read-only to jobs."""

    datasets: Path | None = Field(default=None, description="Root of the datasets; no default: <data_dir>/datasets.")
    pretrained: Path | None = Field(
        default=None, description="Root of pretrained models; no default: <data_dir>/pretrained."
    )

    @field_validator("datasets", "pretrained")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and _absolute(value)


def _absolute(value: Path) -> Path:
    """`value` with `~` expanded, absolute. Raises ValueError where it can be no path."""
    if "\0" in str(value):
        raise ValueError("a path cannot hold a NUL character")
    try:
        return value.expanduser().absolute()
    except RuntimeError as e:  # `~nobody/x`
        raise ValueError(str(e)) from e


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/k12ai`, by default `~/.local/share/k12ai`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "k12ai"


class Settings(BaseSettings):
    """All settings. Build them with `load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="K12AI_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    language: Language = Field(default="en", description="Language of descr where a request asks for none: en or zh.")
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Everything the server keeps; default ~/.local/share/k12ai."
    )
    server: ServerSettings = ServerSettings()
    channel: ChannelSettings = ChannelSettings()
    jobs: JobsSettings = JobsSettings()
    docker: DockerSettings = DockerSettings()
    store: StoreSettings = StoreSettings()
    logs: LogsSettings = LogsSettings()
    stats: StatsSettings = StatsSettings()
    folders: FolderSettings = FolderSettings()

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return _absolute(value)

    @property
    def datasets_dir(self) -> Path:
        """The datasets root in force."""
        return self.folders.datasets or self.data_dir / "datasets"

    @property
    def pretrained_dir(self) -> Path:
        """The pretrained models' root in force."""
        return self.folders.pretrained or self.data_dir / "pretrained"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over environment over file; nothing else is read."""
        return (init_settings, env_settings)


def load_settings(config: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """The settings from `config` (TOML), the environment and `overrides` (nested, they win over both).

    Raises SettingsError for a file that cannot be read, an unknown key or a value that is out of bounds.
    """

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            first = super().settings_customise_sources(settings_cls, *sources, **named)
            return first if config is None else (*first, TomlConfigSettingsSource(settings_cls, config))

    if config is not None and not config.is_file():
        raise SettingsError(f"there is no configuration file {config}")
    try:
        return FromFile(**(overrides or {}))
    except tomllib.TOMLDecodeError as e:
        raise SettingsError(f"{config} is not TOML: {e}") from e
    except UnicodeDecodeError as e:
        raise SettingsError(f"{config} is not TOML: it is not UTF-8 ({e.reason} at byte {e.start})") from e
    except UnreadableVariable as e:
        raise SettingsError(f"wrong environment: {e}; a section is set key by key: K12AI_JOBS__MAX_RUNNING=4") from e
    except OSError as e:
        raise SettingsError(f"{config} cannot be read: {e.strerror}") from e
    except ValidationError as e:
        raise SettingsError(f"wrong setting: {message_of(fields_of(e))}") from e
