"""What reading a log may cost: every bound in one frozen place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one pipeline. What a bound cuts is said in the events (`truncated`)."""

    line_chars: int = 65_536
    """Longest line kept, in characters; the rest is counted in `LogLines.truncated` (bytes)."""
    lines_per_event: int = 400
    """Most lines in one `LogLines` event."""
    block_lines: int = 6_000
    """Most lines of one traceback; the middle goes first. Above Python's own 1,000 frames of three lines."""
    block_chars: int = 1_000_000
    """Most characters of one traceback."""
    raw_chars: int = 32_768
    """Longest `detail.raw`; the middle goes first."""
    text_chars: int = 65_536
    """Longest `detail.exc_text`."""
    frames: int = 1_200
    """Most frames of one exception; the middle goes first."""
    chain: int = 100
    """Exceptions of one chain above which the middle may go where a traceback is too big."""
    open_blocks: int = 16
    """Tracebacks of different processes that may be open at once."""
    tail_lines: int = 8
    """Lines after an exception's text that wait until it is known whether they are its notes."""
    foreign_lines: int = 40
    """Lines of other output inside one traceback before it counts as cut off."""
    bars: int = 16
    """Progress bars remembered at once."""
    progress_interval_ms: int = 250
    """Least time between two progress events of one bar: four a second."""
    bars_per_second: int = 8
    """Most bars that begin, or end because another one follows, within a second."""
    name_chars: int = 200
    """Longest name of a metric; a longer one is cut, and ends with an ellipsis."""
    names: int = 500
    """Most metrics of one event; a warning says once that there were more."""
