"""What is counted as it happens. Every label has a small closed set of values; no job and no user is one."""

from prometheus_client import CollectorRegistry, Counter, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
COMMITS_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
REQUESTS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PARSES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
JOBS_S = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600)


class Counted:
    """The counters and histograms. Their methods may be called in any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"k12ai_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"k12ai_{name}", text, labels, buckets=buckets, registry=registry)

        self.events = counter("store_events", "Events stored, by type.", "type")
        self.appends = counter("store_appends", "Changes given to the store, by whether they were stored.", "outcome")
        self.commits = histogram("store_commit_seconds", "Duration of the store's transactions.", COMMITS_S)
        self.launches = counter("job_launches", "Jobs that began to run, by service.", "service")
        self.ends = counter("job_ends", "Jobs that ended, by service, status and cause.", "service", "status", "reason")
        self.waits = histogram("job_queue_seconds", "Time from a job's acceptance to its place to run.", JOBS_S)
        self.runs = histogram("job_run_seconds", "Time from a job's launch to its end.", JOBS_S)
        self.launcher_calls = counter("launcher_calls", "Calls of the launcher, by call.", "call")
        self.launcher_errors = counter("launcher_errors", "Calls of the launcher that failed, by call.", "call")
        self.log_bytes = counter("log_read_bytes", "Bytes read of the logs of jobs.")
        self.log_lines = counter("log_read_lines", "Line ends read of the logs of jobs.")
        self.parses = histogram("log_parse_seconds", "Duration of reading one piece of a job's log.", PARSES_S)
        self.requests = counter(
            "http_requests", "HTTP requests answered, by route, method and status.", "route", "method", "status"
        )
        self.request_seconds = histogram(
            "http_request_seconds", "Time from a request's head to its answer.", REQUESTS_S, "route", "method"
        )
        self.refusals = counter("refusals", "Requests and frames answered with an error, by its code.", "code")
        for outcome in ("stored", "failed"):
            self.appends.labels(outcome)

    def commit(self, seconds: float, stored: int, failed: int) -> None:
        """The store tried one transaction, or several one after the other; so many changes were stored or failed."""
        self.commits.observe(seconds)
        self.appends.labels("stored").inc(stored)
        self.appends.labels("failed").inc(failed)

    def parsed(self, seconds: float) -> None:
        """A piece of a job's log was read."""
        self.parses.observe(seconds)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the template, never the path itself."""
        known = method if method in METHODS else "other"
        self.requests.labels(route, known, str(status)).inc()
        self.request_seconds.labels(route, known).observe(seconds)

    def refused(self, code: int) -> None:
        """A request or a frame was answered with an error of this code."""
        self.refusals.labels(str(int(code))).inc()
