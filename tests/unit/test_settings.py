"""Settings from file, environment and overrides; whatever is wrong is refused by name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from k12ai_ws.settings import SettingsError, default_data_dir, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("K12AI_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "k12ai.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_overrides_win_over_the_environment_over_the_file_over_the_defaults(config, monkeypatch) -> None:
    path = config("[jobs]\nmax_running = 3\nmax_queued = 30\ngrace_s = 3.5\n")
    monkeypatch.setenv("K12AI_JOBS__MAX_RUNNING", "4")
    monkeypatch.setenv("K12AI_JOBS__MAX_QUEUED", "40")
    jobs = load_settings(path, {"jobs": {"max_running": 5}}).jobs
    assert (jobs.max_running, jobs.max_queued, jobs.grace_s, jobs.max_queued_per_user) == (5, 40, 3.5, 100)


def test_they_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.jobs.max_running = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.language = "zh"  # type: ignore[misc]


def test_one_load_does_not_leak_into_the_next(config) -> None:
    assert load_settings(config("language = 'zh'\n")).language == "zh"
    assert load_settings().language == "en"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("nonsense = 1", "nonsense"),
        ("[jobs]\nmax_runing = 1", "jobs.max_runing"),
        ("[jobz]\nmax_running = 1", "jobz"),
        ("[jobs]\nmax_running = 0", "jobs.max_running"),
        ("[jobs]\nmax_running = 'many'", "jobs.max_running"),
        ("[jobs]\nmax_running = 1.5", "jobs.max_running"),
        ("[jobs]\ngrace_s = nan", "jobs.grace_s"),
        ("[jobs]\ngrace_s = inf", "jobs.grace_s"),
        ("[jobs]\ngrace_s = -1", "jobs.grace_s"),
        ("[jobs]\nlauncher = 'kubernetes'", "jobs.launcher"),
        ("[server]\ntrusted_proxies = ['10.0.0.0/99']", "server.trusted_proxies"),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", "server.trusted_proxies"),
        ("[server]\ntrusted_proxies = ['::/0']", "server.trusted_proxies"),
        ("[server]\nport = 65536", "server.port"),
        ("[server]\nport = -1", "server.port"),
        ("[server]\nhost = ''", "server.host"),
        ("server = 3", "server"),
        ("language = 'fr'", "language"),
        ("data_dir = '~no-such-user-here/x'", "data_dir"),
        ('data_dir = "a\\u0000b"', "data_dir"),
        ("[folders]\ndatasets = '~no-such-user-here/x'", "folders.datasets"),
        ("[store]\nsynchronous = 'off'", "store.synchronous"),
    ],
)
def test_what_is_wrong_is_named(config, content: str, named: str) -> None:
    with pytest.raises(SettingsError, match=rf"wrong setting: {named.replace('.', '[.]')}: (?!Value error)"):
        load_settings(config(content))


@pytest.mark.parametrize("content", ["[jobs", b"\xff\xfe\x00", b"language = '\xe9'", "a = 1\na = 2"])
def test_what_is_no_toml_is_refused_with_the_files_name(config, content) -> None:
    with pytest.raises(SettingsError, match=r"k12ai\.toml is not TOML"):
        load_settings(config(content))


def test_rules_for_logs(config, monkeypatch) -> None:
    good = "[[logs.rules]]\npattern = 'loss (?P<loss>.*)'\nservices = ['k12cv']\n[[logs.rules]]\npattern = '(?P<a>x)'\n"
    rules = load_settings(config(good)).logs.rules
    assert rules is not None
    assert [rule["pattern"] for rule in rules] == ["loss (?P<loss>.*)", "(?P<a>x)"]
    with pytest.raises(SettingsError, match=r"wrong setting: logs\.rules: .*rules\.1\.pattern: at character 2, `\+\+`"):
        load_settings(config(good.replace("(?P<a>x)", "a++")))
    monkeypatch.setenv("K12AI_LOGS__RULES", '[{"pattern": "(?P<a>x)"}]')
    assert load_settings().logs.rules == ({"pattern": "(?P<a>x)"},)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no configuration file"):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="there is no configuration file"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("K12AI_SERVER", "rubbish", "server"),
        ("K12AI_JOBS__MAX_RUNNING", "", "jobs.max_running"),
        ("K12AI_JOBS__MAX_RUNING", "1", "jobs.max_runing"),
        ("K12AI_LANGUAGE", "xx", "language"),
        ("K12AI_LIMIT__MAX_CONNECTIONS", "5", r"there is no section \[limit\]"),
    ],
)
def test_a_wrong_environment_is_refused(monkeypatch, name: str, value: str, named: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_the_variables_that_jobs_get_are_no_settings(monkeypatch) -> None:
    monkeypatch.setenv("K12AI_OUTPUT", "/somewhere")
    monkeypatch.setenv("K12AI_DATASETS", "/somewhere")
    assert load_settings().folders.datasets is None


def test_paths_are_absolute_and_roots_follow_the_data_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    settings = load_settings(overrides={"data_dir": Path("here"), "folders": {"pretrained": Path("~/models")}})
    assert settings.data_dir == tmp_path / "here"
    assert settings.datasets_dir == tmp_path / "here" / "datasets"
    assert settings.pretrained_dir == Path("/home/someone/models")


def test_the_default_data_folder_follows_xdg(monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_data_dir() == Path("/data/k12ai")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_data_dir() == Path("/home/someone/.local/share/k12ai")
