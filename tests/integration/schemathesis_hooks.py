"""For schemathesis: a good Idempotency-Key is made one that no request had before, for a used one is refused."""

import re
import uuid

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and re.fullmatch(r"[!-~]([ -~]{0,254}[!-~])?", key):
        case.headers[KEY] = f"{key[:200]}-{uuid.uuid4().hex}"
