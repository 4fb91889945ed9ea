"""What a caller may see and touch. Every operation and every subscription asks here; an admin may everything.

Other people's jobs look as if they were not there: the answer for one is, to the letter, that for no job at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import Refusal, refuse

from .principal import Principal


def require_user(principal: Principal, user: str | None, field: str = "user") -> None:
    """Raises Refusal (100106) where a request's `field` names somebody else. None names nobody."""
    if user is not None and not principal.admin and user != principal.user:
        raise refuse(
            Code.NOT_ALLOWED,
            f"{field}: you are {principal.user!r}, and may see and touch nothing of another user's",
            fields=[{"loc": field, "msg": f"must be {principal.user!r}", "type": "not_allowed"}],
        )


def require_admin(principal: Principal, what: str) -> None:
    """Raises Refusal (100106) for whoever is no admin."""
    if not principal.admin:
        raise refuse(Code.NOT_ALLOWED, f"{what} is an admin's: call with a token of `k12ai token create --admin`")


def narrow_user(principal: Principal, user: str | None, field: str = "user") -> str | None:
    """The user whose things a query shall give: the one asked for, else the caller's own. Raises Refusal (100106)."""
    require_user(principal, user, field)
    return user if principal.admin else principal.user


def narrow(principal: Principal, wanted: EventFilter, field: str = "filter.user") -> EventFilter:
    """The filter without what is not the caller's. Raises Refusal (100106) where it names another user."""
    user = narrow_user(principal, wanted.user, field)
    return wanted if user == wanted.user else replace(wanted, user=user)


def visible(principal: Principal, record: JobRecord | None, job_id: str) -> JobRecord:
    """The job that was asked for. Raises Refusal (100205) where there is none, or it is somebody else's."""
    if record is None or not (principal.admin or record.user == principal.user):
        raise no_such_job(job_id)
    return record


def no_such_job(job_id: str) -> Refusal:
    """What is said of a job that is not there, or that the caller may not know of."""
    return refuse(Code.NOT_FOUND, f"there is no job {job_id!r}")


def own(principal: Principal, entries: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """Of things that each have a `user`, the caller's own."""
    return [entry for entry in entries if principal.admin or entry.get("user") == principal.user]
