"""`k12ai parse --rule` and `--rules`: what they found, how near they came, and what is wrong with them."""

import json
from pathlib import Path

import pytest

from k12ai_ws.cli import main
from k12ai_ws.cli.rules import MAX_FILE_BYTES

LOG = """\
[train] round 1 took 3.2s  reward is 12.5 (98%)
[train] round 2 took 3.1s  reward is 1,013.5 (98.5%)
[eval] round 2  reward is N/A (--%)
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    main()
IndexError: list index out of range
"""


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "train.log").write_text(LOG)
    return str(tmp_path / "train.log")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def test_what_a_rule_found(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    rule = r"\[(?P<split>\w+)\] round (?P<step>\d+).*reward is (?P<reward>\S+)"
    assert main(["parse", log, "--rule", rule]) == 0
    out = capsys.readouterr().out
    assert out.startswith("metrics  step=1  train_reward=12.5\nmetrics  step=2  train_reward=1014\nerror 100911")
    assert f'rule 1  {rule}  lines: 2  first: "[train] round 1' in out
    assert 'no number: 1, the first: "N/A"' in out


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (r"reward: (?P<r>\S+)", ['no line has the text "reward: "', "found is `reward`; what follows, `: (?P<r>"]),
        (r"took (?P<x>\d+)ms", ["found is `took (?P<x>\\d+)`; what follows, `ms`", "round 1 took"]),
        (r"Reward is (?P<x>\d+)", ["small and capital letters", "(?i)", "round 1 took"]),
        (r"reward is (?P<x>N\S+)", ['what it captured is no number: "N/A" (lines: 1)']),
        (r"round 3(?P<x>)", ["found is `round `; what follows, `3"]),
        (r"round (?P<x>x?)", ["it matches, but captures nothing"]),
        (r"(?:a=(?P<x>\d+)|b=(?P<y>\d+))", ["found nothing in 3 lines"]),
    ],
)
def test_how_near_a_rule_came_that_found_nothing(
    log: str, capsys: pytest.CaptureFixture[str], rule: str, said: list[str]
) -> None:
    assert main(["parse", log, "--rule", rule]) == 0
    out = capsys.readouterr().out
    assert all(words in out for words in said), out
    assert "100009" not in out, "the lines about the rules say it better than the warning"
    assert main(["parse", "--lang", "zh", log, "--rule", rule]) == 0
    assert "规则 1" in capsys.readouterr().out


def test_a_log_of_nothing_but_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text(LOG[LOG.index("Traceback") :])
    assert main(["parse", str(tmp_path / "log"), "--rule", r"a(?P<x>\d)"]) == 0
    assert "no line that is not part of an error" in capsys.readouterr().out


def test_programs_get_the_events_alone(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", "--json", log, "--rule", r"took (?P<x>\d+)ms"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in events] == ["error", "error"]
    assert events[1]["error"]["code"] == 100009
    assert r"took (?P<x>\d+)ms" in events[1]["error"]["message"]


def test_many_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text('{"log": "took 3s\\n"}\n{"log": "took 4s\\n"}\n')
    assert main(["parse", "--json", "--batch", str(tmp_path / "logs"), "--rule", r"took (?P<x>\d+)s"]) == 0
    values = [json.loads(line)[0]["metrics"] for line in capsys.readouterr().out.splitlines()]
    assert values == [{"x": 3}, {"x": 4}]


def test_rules_of_a_file(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k12ai.toml").write_text(
        "language = 'en'\n[[logs.rules]]\npattern = 'round (?P<step>\\d+).*\\((?P<value>\\S+)%\\)'\n"
        "name = 'success'\nscale = 0.01\nservices = ['k12cv']\n"
    )
    assert main(["parse", "--json", log, "--rules", str(tmp_path / "k12ai.toml")]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["metrics"] == {"step": 1, "success": 0.98}


def test_a_wrong_rule_is_shown_with_its_place(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", log, "--rule", "(?P<a>x)", "--rule", "loss(?=a)"]) == 2
    done = capsys.readouterr()
    assert done.err.startswith("k12ai parse: --rule (number 2): at character 5, `(?=`: looking ahead")
    assert done.err.endswith("\n  loss(?=a)\n      ^\n")
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[logs.rules]]\npatern = 'a'\n", ["logs.rules.0.patern: ", "did you mean pattern"]),
        ("[[logs.rules]]\npattern = 'a'\n[[logs.rules]]\n", ["logs.rules.0.pattern: ", "logs.rules.1.pattern: "]),
        ('[[logs.rules]]\npattern = "\\d"\n', ["no TOML", "between ' and '"]),
        ("[[rules]]\npattern = 'a'\n", ["holds no rules", "[[logs.rules]]"]),
        ("logs = 3\n", ["holds no rules"]),
        ("[logs]\nrules = []\n", ["holds no rules"]),
        ("a = \xff", ["no TOML"]),
    ],
)
def test_a_wrong_file(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, words: list[str]
) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content.encode("latin-1"))
    assert main(["parse", log, "--rules", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"--rules {path}" in err
    assert all(word in err for word in words), err


def test_a_file_that_is_not_there(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", log, "--rules", "nowhere.toml"]) == 2
    assert "--rules nowhere.toml: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("endless", [True, False])
def test_a_file_too_large_to_be_rules(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], endless: bool
) -> None:
    (tmp_path / "rules.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    file = "/dev/zero" if endless else str(tmp_path / "rules.toml")
    assert main(["parse", log, "--rules", file]) == 2
    assert f"--rules {file}: larger than 1048576 bytes" in capsys.readouterr().err


def test_too_many(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", log, *(word for n in range(51) for word in ("--rule", f"(?P<a{n}>x)"))]) == 2
    assert "there are 51 rules: 50 are the most" in capsys.readouterr().err


def test_the_terminal_is_not_steered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_bytes("loss \x9b2J\u202e5\n".encode())
    assert main(["parse", str(tmp_path / "log"), "--rule", r"loss (?P<loss>\S+)"]) == 0
    out = capsys.readouterr().out
    assert "no number" in out
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)


def test_a_wrong_rule_for_a_job_is_seen_before_any_server_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "k12cv", "--server", "http://127.0.0.1:1", "--rule", "loss(?=a)"]) == 2
    assert "k12ai train: --rule: at character 5, `(?=`" in capsys.readouterr().err
