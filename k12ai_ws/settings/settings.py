"""All settings together, and how they are read."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings import SettingsError as UnreadableVariable

from k12ai_ws.wire.codes import Language
from k12ai_ws.wire.requests import fields_of, message_of

from .access import AccessSettings
from .events import LogsSettings, StatsSettings, StoreSettings
from .jobs import DockerSettings, FolderSettings, JobsSettings
from .operations import LogSettings, ShutdownSettings
from .retention import RetentionSettings
from .section import absolute
from .server import ChannelSettings, LimitsSettings, ServerSettings, SseSettings


class SettingsError(Exception):
    """The configuration cannot be used; the text names the setting and says what would be right."""


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
    limits: LimitsSettings = LimitsSettings()
    channel: ChannelSettings = ChannelSettings()
    sse: SseSettings = SseSettings()
    access: AccessSettings = AccessSettings()
    jobs: JobsSettings = JobsSettings()
    docker: DockerSettings = DockerSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    logs: LogsSettings = LogsSettings()
    stats: StatsSettings = StatsSettings()
    folders: FolderSettings = FolderSettings()
    log: LogSettings = LogSettings()
    shutdown: ShutdownSettings = ShutdownSettings()

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return absolute(value)

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

    for name in os.environ:
        section, nested, _ = name.removeprefix("K12AI_").partition("__")
        if name.startswith("K12AI_") and nested and section.lower() not in Settings.model_fields:
            raise SettingsError(f"wrong environment: {name}: there is no section [{section.lower()}]")
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
