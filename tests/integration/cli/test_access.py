"""The command and tokens: where it takes one from, and what it says where none is good."""

import pytest


@pytest.fixture
async def locked(k12ai, serve, tmp_path):
    """A server that wants a token, and ann's."""
    made = await k12ai("token", "create", "--user", "ann", "--data-dir", tmp_path / "data")
    assert made.code == 0, made.err
    assert "only time" in made.err
    client = await serve()
    k12ai.environ["K12AI_SERVER_URL"] = client.address
    return k12ai, made.out.strip()


async def test_it_says_what_to_do_without_one(locked) -> None:
    k12ai, _ = locked
    for words in (["jobs"], ["watch"], ["services", "--lang", "zh"]):
        result = await k12ai(*words)
        assert result.code == 4
        assert "K12AI_TOKEN" in result.err
        assert ".config/k12ai/token" in result.err
        assert "Traceback" not in result.err


async def test_it_takes_one_from_the_environment_a_file_or_standard_input(locked, tmp_path) -> None:
    k12ai, token = locked
    assert (await k12ai("jobs", K12AI_TOKEN=token)).code == 0
    path = tmp_path / "mine"
    path.write_text(token + "\n")
    path.chmod(0o600)
    result = await k12ai("jobs", "--token-file", path)
    assert (result.code, result.err) == (0, "")
    assert (await k12ai("jobs", "--token-file", "-", stdin=f"{token}\n".encode())).code == 0
    home = tmp_path / ".config" / "k12ai"
    home.mkdir(parents=True)
    (home / "token").write_text(token)
    result = await k12ai("jobs")
    assert result.code == 0
    assert "chmod 600" in result.err, "others can read it"


async def test_a_file_that_holds_none(locked, tmp_path) -> None:
    k12ai, _ = locked
    assert (await k12ai("jobs", "--token-file", tmp_path / "none")).code == 1
    (tmp_path / "empty").write_text("\n")
    assert (await k12ai("jobs", "--token-file", tmp_path / "empty")).code == 1
    (tmp_path / "odd").write_text("two words\nX-Evil: 1\n")
    result = await k12ai("jobs", "--token-file", tmp_path / "odd")
    assert result.code == 2
    assert "two words" not in result.err


async def test_a_job_from_start_to_end_with_a_token(locked) -> None:
    k12ai, token = locked
    k12ai.environ["K12AI_TOKEN"] = token
    done = await k12ai("run", "toy", "train", "--uuid", "p", "--follow", "--json")
    assert done.code == 0, done.err
    other = await k12ai("run", "toy", "train", "--uuid", "p", "--user", "bob")
    assert other.code == 4
    assert "'ann'" in other.err


async def test_a_revoked_token_ends_a_watch(locked, tmp_path) -> None:
    k12ai, token = locked
    watch = await k12ai.begin("watch", "--json", "--after", "start", K12AI_TOKEN=token)
    started = await k12ai("run", "toy", "train", "--uuid", "p", K12AI_TOKEN=token)
    assert started.code == 0, started.err
    await watch.until("finished")
    assert (await k12ai("token", "revoke", token.split("_")[1], "--data-dir", tmp_path / "data")).code == 0
    ended = await watch.end()
    assert ended.code == 4, ended.err
    assert "K12AI_TOKEN" in ended.err


async def test_there_is_no_option_for_the_token_itself(k12ai) -> None:
    assert (await k12ai("jobs", "--token", "k12ai_x")).code == 2


async def test_the_server_says_why_it_does_not_listen_everywhere(k12ai, tmp_path) -> None:
    result = await k12ai("serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", tmp_path / "new" / "data")
    assert result.code == 1
    for text in ("k12ai token create --admin", "server.tls_cert", "docs/security.md"):
        assert text in result.err
    assert not (tmp_path / "new").exists(), "what it made is removed again"
