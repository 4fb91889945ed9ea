"""Which of two media types a client would rather have (RFC 9110, section 12.5.1)."""

PAGE, STREAM = "application/json", "text/event-stream"


def wants_stream(accept: str | None) -> bool:
    """Whether the answer shall be an event stream: it is asked for by name, and no less than JSON.

    Of two that are wanted equally and both named, the one named first is taken.

    >>> wants_stream("text/event-stream, */*"), wants_stream("*/*"), wants_stream("text/event-stream;q=0")
    (True, False, False)
    """
    ranges = list(_ranges(accept or ""))
    named = [name for name, _ in ranges]
    if STREAM not in named:
        return False
    stream, page = _quality(ranges, STREAM), _quality(ranges, PAGE)
    if stream != page:
        return stream > page
    return stream > 0 and (PAGE not in named or named.index(STREAM) < named.index(PAGE))


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        name, *parameters = (p.strip().lower() for p in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = min(1.0, max(0.0, float(value)))
                except ValueError:
                    quality = 0.0
        if name:
            found.append((name, quality))
    return found


def _quality(ranges: list[tuple[str, float]], wanted: str) -> float:
    """The quality of a media type: what the most specific range that names it says."""
    for name in (wanted, f"{wanted.partition('/')[0]}/*", "*/*"):
        for given, quality in ranges:
            if given == name:
                return quality
    return 0.0
