"""The language of an answer."""

from k12ai_ws.wire.codes import LANGUAGES, Language


def preferred_language(header: str | None, default: Language) -> Language:
    """The best of our languages that an Accept-Language header (RFC 9110, 12.5.4) names, or `default`."""
    best, weight = default, 0.0
    for part in (header or "").split(","):
        tag, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=")
        try:
            q = float(quality) if quality else 1.0
        except ValueError:
            continue
        language = next((one for one in LANGUAGES if tag.lower().split("-")[0] == one), None)
        if language is not None and q > weight:
            best, weight = language, q
    return best
