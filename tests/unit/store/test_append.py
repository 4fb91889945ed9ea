"""Appending: one order, one transaction per change, the listener first, and no change spoils another."""

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from k12ai_ws.store.store import Change, LogPosition, NewEvent, StoreError
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.status import TERMINAL, JobStatus

ALL = EventFilter()


async def everything(store) -> list:
    return list((await store.replay(ALL, 0, limit=100_000)).events)


async def test_events_get_the_next_numbers_in_order(store, make) -> None:
    first = await store.append(make.change(1, "a", "b"))
    second = await store.append(make.change(2, "c"))
    assert [e.seq for e in (*first, *second)] == [1, 2, 3]
    assert store.head == 3
    assert first[0].payload == b'{"type":"status","text":"a","seq":1}'
    assert first[0].key == ("status", "framework", "u", "p-1", "s", "job-1")
    assert await everything(store) == [*first, *second]


async def test_a_change_without_events_stores_the_record_alone(store, make) -> None:
    assert list(await store.append(make.change(1, status=JobStatus.RUNNING))) == []
    assert store.head == 0
    assert (await store.job("job-1")).status is JobStatus.RUNNING


async def test_concurrent_appends_are_numbered_without_gap_or_repeat(store, make) -> None:
    heard: list[int] = []
    store.on_commit(lambda events: heard.extend(e.seq for e in events))
    results = await asyncio.gather(*(store.append(make.change(i, *"abc"[: 1 + i % 3])) for i in range(300)))
    seqs = [e.seq for stored in results for e in stored]
    assert sorted(seqs) == list(range(1, 601))
    assert seqs == sorted(seqs), "whoever appended first is numbered first"
    assert heard == sorted(seqs)
    assert all([e.seq for e in r] == list(range(r[0].seq, r[0].seq + len(r))) for r in results), "a change is one piece"
    assert [e.payload for e in await everything(store)] == [e.payload for r in results for e in r]


async def test_the_listener_hears_of_it_before_append_returns_and_the_head_stands_then(store, make) -> None:
    log: list[tuple[str, int, int]] = []
    store.on_commit(lambda events: log.append(("heard", events[-1].seq, store.head)))

    async def append(number: int) -> None:
        stored = await store.append(make.change(number, "x"))
        log.append(("returned", stored[-1].seq, store.head))

    await asyncio.gather(*(append(i) for i in range(50)))
    heard_up_to = 0
    for what, seq, head in log:
        if what == "heard":
            assert seq > heard_up_to
            assert head >= seq
            heard_up_to = seq
        else:
            assert seq <= heard_up_to
    assert heard_up_to == 50


async def test_all_listeners_hear_even_if_one_fails(store, make, caplog) -> None:
    heard = []

    def broken(events) -> None:
        raise RuntimeError("a listener's bug")

    store.on_commit(broken)
    store.on_commit(heard.extend)
    async with asyncio.timeout(10):
        stored = await store.append(make.change(1, "x"))
    assert heard == list(stored)
    assert "a listener's bug" in caplog.text


async def test_one_active_job_per_user_and_service_uuid(store, make) -> None:
    await store.append(make.change(1, "a", service_uuid="p"))
    with pytest.raises(StoreError):
        await store.append(make.change(2, "b", service_uuid="p"))
    assert await store.job("job-2") is None
    await store.append(make.change(3, "c", service_uuid="p", user="another"))
    await store.append(make.end(1, service_uuid="p"))
    await store.append(make.change(2, "b", service_uuid="p"))
    assert [r.job_id for r in await store.active_jobs()] == ["job-3", "job-2"]


@pytest.mark.parametrize("status", list(JobStatus))
async def test_exactly_the_terminal_states_are_not_active(store, make, status: JobStatus) -> None:
    await store.append(make.change(1, status=status))
    assert bool(await store.active_jobs()) == (status not in TERMINAL)


async def test_of_many_starts_of_one_pair_at_once_one_wins(store, make) -> None:
    results = await asyncio.gather(
        *(store.append(make.change(i, "x", service_uuid="p")) for i in range(50)), return_exceptions=True
    )
    assert sum(not isinstance(r, StoreError) for r in results) == 1
    assert len(await everything(store)) == 1


async def test_an_idempotency_key_makes_one_job_per_user(store, make) -> None:
    await store.append(make.change(1, idempotency_key="k"))
    with pytest.raises(StoreError):
        await store.append(make.change(2, idempotency_key="k"))
    await store.append(make.change(3, idempotency_key="k", user="another"))
    await store.append(
        make.change(4),
    )
    await store.append(make.change(5))
    assert (await store.job_by_idempotency_key("u", "k")).job_id == "job-1"
    assert (await store.job_by_idempotency_key("another", "k")).job_id == "job-3"
    assert await store.job_by_idempotency_key("u", "other") is None


BAD = {
    "duplicate pair": lambda make: make.change("bad", "never", service_uuid="p-good"),
    "not json": lambda make: make.change("bad", "never", params={"a": object()}),
    "event is no bytes": lambda make: Change(make.record("bad"), [NewEvent("status", None)]),  # type: ignore[arg-type]
    "type is no text": lambda make: Change(make.record("bad"), [make.event("never"), NewEvent({}, b"{}")]),  # type: ignore[arg-type]
    "offset too large": lambda make: make.change("bad", "never", position=LogPosition(1 << 70, {})),
    "state is no json": lambda make: make.change("bad", "never", position=LogPosition(1, {1, 2})),
    "no text": lambda make: make.change("bad", "never", user=None),
    "no record": lambda make: Change(None, []),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
async def test_a_failing_change_leaves_no_trace_and_spoils_no_neighbour(store, make, kind: str) -> None:
    heard = []
    store.on_commit(heard.extend)
    await store.append(make.change("good", "0"))
    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(store.append(BAD[kind](make) if i % 5 == 2 else make.change(i, str(i))) for i in range(20)),
            return_exceptions=True,
        )
    for i, result in enumerate(results):
        assert isinstance(result, StoreError) == (i % 5 == 2), result
    stored = await everything(store)
    assert [e.seq for e in stored] == list(range(1, 18)), "a change that was rolled back uses up no number"
    assert stored == heard
    assert b"never" not in b"".join(e.payload for e in stored)
    assert await store.job("job-bad") is None
    assert [e.seq for e in await store.append(make.change("after", "x"))] == [18]


async def test_undecodable_text_in_a_record_is_no_reason_to_lose_it(store, make) -> None:
    await store.append(
        make.change(1, "x", last_error={"message": "\udcff"}, position=LogPosition(1, {"line": "\udcff"}))
    )
    assert (await store.job("job-1")).last_error == {"message": "\ufffd"}
    assert (await store.position("job-1")).state == {"line": "\ufffd"}


async def test_a_caller_that_stops_waiting_does_not_undo_it(store, make) -> None:
    task = asyncio.create_task(store.append(make.change(1, "x")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.append(make.change(2, "y"))
    assert len(await everything(store)) == 2


async def test_the_position_goes_with_the_terminal_status(store, make) -> None:
    state = {"pipeline": [1, {"a": "é"}]}
    await store.append(make.change(1, "x", position=LogPosition(5, state)))
    assert await store.position("job-1") == LogPosition(5, state)
    await store.append(make.change(1, "y"))
    assert await store.position("job-1") == LogPosition(5, state), "None leaves the stored one"
    await store.append(make.change(1, position=LogPosition(0, None)))
    assert await store.position("job-1") == LogPosition(0, None)
    await store.append(replace(make.end(1), position=LogPosition(9, {})))
    assert await store.position("job-1") is None
    assert await store.position("nobody") is None


async def test_append_and_reading_after_close_are_refused(open_store, make) -> None:
    store = await open_store()
    await store.close()
    await store.close()
    for call in (
        store.append(make.change(1)), store.replay(ALL, 0), store.jobs(), store.job("x"), store.active_jobs(),
        store.position("x"), store.job_by_idempotency_key("u", "k"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_close_waits_for_what_is_pending(open_store, make) -> None:
    store = await open_store()
    pending = [asyncio.create_task(store.append(make.change(i, "x"))) for i in range(1000)]
    await asyncio.sleep(0)
    await store.close()
    assert all(task.done() for task in pending)
    assert sorted(e.seq for task in pending for e in task.result()) == list(range(1, 1001))
    again = await open_store()
    assert len(await everything(again)) == 1000


async def test_reopening_keeps_epoch_head_positions_and_bytes(open_store, make, caplog) -> None:
    store = await open_store()
    await store.append(make.change(1, "a", "b", position=LogPosition(7, {"x": 1})))
    before = await everything(store)
    await store.close()
    with caplog.at_level(logging.WARNING):
        again = await open_store(lambda: "another epoch")
    assert (again.epoch, again.head) == ("epoch-1", 2)
    assert await again.position("job-1") == LogPosition(7, {"x": 1})
    assert await everything(again) == before
    assert [e.seq for e in await again.append(make.change(1, "c"))] == [3]
    assert [json.loads(e.payload)["text"] for e in await everything(again)] == ["a", "b", "c"]


async def test_large_params_are_written_once_and_not_with_every_batch(store, make) -> None:
    def written() -> int:
        """Bytes that this process has given to the kernel to write."""
        return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])

    params = {"text": "x" * 1_000_000}
    await store.append(make.change(1, "created", params=params))
    before = written()
    for i in range(50):
        await store.append(make.change(1, f"batch {i}", params=params, status=JobStatus.RUNNING))
    assert written() - before < 5_000_000
    record = await store.job("job-1")
    assert (record.params, record.status) == (params, JobStatus.RUNNING)


async def test_in_one_group_a_job_ends_and_the_next_of_its_pair_begins(store, make) -> None:
    await store.append(make.change(1, "a", service_uuid="p"))
    results = await asyncio.gather(
        store.append(make.change(9, "too early", service_uuid="p")),
        store.append(make.end(1, service_uuid="p")),
        store.append(make.change(2, "b", service_uuid="p", position=LogPosition(3, {}))),
        store.append(make.change(2, "c", service_uuid="p", status=JobStatus.RUNNING)),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreError)
    assert [e.seq for r in results[1:] for e in r] == [2, 3, 4]
    assert [(r.job_id, r.status) for r in await store.active_jobs()] == [("job-2", JobStatus.RUNNING)]
    assert (await store.job("job-1")).status is JobStatus.FINISHED
    assert await store.position("job-2") == LogPosition(3, {})


async def test_of_a_group_the_last_record_and_the_last_position_of_each_job_stand(store, make) -> None:
    def changes(job: int):
        for i in range(40):
            position = LogPosition(i, {"i": i}) if i % 2 else None
            yield make.change(job, f"{i}", last_metrics={"n": i}, status=JobStatus.RUNNING, position=position)

    mixed = [c for pair in zip(changes(1), changes(2), changes(3), strict=True) for c in pair]
    await asyncio.gather(*(store.append(c) for c in mixed))
    for job in (1, 2, 3):
        assert (await store.job(f"job-{job}")).last_metrics == {"n": 39}
        assert await store.position(f"job-{job}") == LogPosition(39, {"i": 39})
    ends = [store.append(make.end(job, last_metrics={"n": 40})) for job in (1, 2, 3)]
    await asyncio.gather(*ends)
    assert [j.last_metrics for j in (await store.jobs()).jobs] == [{"n": 40}] * 3
    assert await store.position("job-1") is None


async def test_a_change_larger_than_any_statement_is_stored_whole(store, make) -> None:
    texts = [str(i) for i in range(10_000)]
    stored = await store.append(make.change(1, *texts))
    assert [json.loads(e.payload)["text"] for e in stored] == texts
    assert [e.payload for e in await everything(store)] == [e.payload for e in stored]


async def test_a_job_that_ended_may_still_be_written(store, make) -> None:
    await store.append(make.end(1))
    await store.append(make.end(1, last_error={"code": 1}))
    assert (await store.job("job-1")).last_error == {"code": 1}
    assert [j.job_id for j in (await store.jobs()).jobs] == ["job-1"]


async def test_what_is_secret_stands_in_no_file(store, make, path) -> None:
    change = make.change(1, "x")
    change = replace(change, record=replace(change.record, params={}, secrets=("hunter2-hunter2",)))
    await store.append(change)
    await store.append(replace(change, record=replace(change.record, status=JobStatus.RUNNING)))
    assert (await store.job(change.record.job_id)).secrets == ()
    await store.close()
    assert not [f.name for f in path.parent.iterdir() if f.is_file() and b"hunter2" in f.read_bytes()]


async def test_a_file_that_was_moved_under_the_store_takes_nothing_more(open_store, path: Path, make) -> None:
    store = await open_store()
    heard = []
    store.on_commit(lambda events: heard.extend(e.seq for e in events))
    await store.append(make.change(1, "before"))
    aside = path.with_name("aside")
    path.rename(aside)
    for put in (lambda: None, lambda: path.write_bytes(b"another")):
        put()
        with pytest.raises(StoreError, match="was moved or removed under the server"):
            await store.append(make.change(1, "lost"))
        with pytest.raises(StoreError, match="was moved or removed under the server"):
            await store.probe()
    aside.rename(path)
    assert [e.seq for e in await store.append(make.change(1, "after"))] == [2]
    assert heard == [1, 2]
