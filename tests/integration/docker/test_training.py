"""The bundled plugins' own jobs, trained for real in their own images: from the request to the metrics."""

import pytest

from k12ai_ws.drivers.registry import discover


@pytest.fixture
async def school(serve, boxed, built):
    """A server with the installed plugins and the default policy of images."""
    for name in ("k12cv", "k12nlp"):
        built("images", f"k12ai/{name}:latest")
    return await serve(boxed(images=["k12ai/*"], memory=1 << 30), registry=discover())


def order(service, op, **params):
    return {"op": op, "user": "ada", "service_name": service, "service_uuid": service, "service_params": params}


async def finished(client, task, body):
    reply = await client.post(f"/k12ai/framework/{task}", body)
    assert reply.status == 202, reply.message
    job = await client.until(reply.message["job_id"])
    assert job["status"]["value"] == "finished", job
    assert job["launcher"] == "docker"
    return job


@pytest.mark.parametrize(("service", "accuracy"), [("k12cv", 0.95), ("k12nlp", 0.55)])
async def test_training_and_evaluation_find_each_other_in_containers(school, service, accuracy):
    job = await finished(school, "train", order(service, "train.start"))
    assert job["metrics"]["test_accuracy"] > accuracy
    assert job["progress"] is not None
    again = await finished(school, "evaluate", order(service, "evaluate.start"))
    assert any("accuracy" in name for name in again["metrics"])
    events = await school.events(job["job_id"])
    assert sum(event["type"] == "metrics" for event in events) >= 5


async def test_an_error_in_the_pupils_own_code_names_its_line(school, tmp_path):
    pupil = tmp_path / "data" / "datasets" / "pupil"
    pupil.mkdir(parents=True)
    (tmp_path / "data" / "datasets").chmod(0o755)
    (pupil / "noise.py").write_text("def augment(image, rng):\n    return image + nosie\n")
    reply = await school.post(
        "/k12ai/framework/train", order("k12cv", "train.start", augment="pupil/noise.py", model="softmax")
    )
    assert reply.status == 202, reply.message
    job = await school.until(reply.message["job_id"])
    assert (job["status"]["value"], job["status"]["code"], job["status"]["reason"]) == ("failed", 100912, "exception")
    frames = job["error"]["detail"]["traceback"]
    mine = [(frame["filename"], frame["linenum"]) for frame in frames if frame["in_app"]]
    assert mine[-1] == ("/k12ai/datasets/pupil/noise.py", 2)
