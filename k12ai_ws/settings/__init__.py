"""The settings: frozen, read once from a TOML file and the environment (`K12AI_JOBS__MAX_RUNNING=4`).

`config/k12ai.toml` lists every setting with its default and its meaning; the environment wins over the file. A module
holds the sections of one concern, `settings.py` puts them together.
"""

from .access import AccessSettings
from .events import LogsSettings, StatsSettings, StoreSettings
from .jobs import DockerSettings, FolderSettings, JobsSettings
from .operations import LogSettings, ShutdownSettings
from .retention import RetentionSettings
from .server import ChannelSettings, LimitsSettings, ServerSettings, SseSettings
from .settings import Settings, SettingsError, default_data_dir, load_settings

__all__ = [
    "AccessSettings",
    "ChannelSettings",
    "DockerSettings",
    "FolderSettings",
    "JobsSettings",
    "LimitsSettings",
    "LogSettings",
    "LogsSettings",
    "RetentionSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "ShutdownSettings",
    "SseSettings",
    "StatsSettings",
    "StoreSettings",
    "default_data_dir",
    "load_settings",
]
