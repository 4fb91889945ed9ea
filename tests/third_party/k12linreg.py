"""Linear regression as a k12ai_ws service: the trainer, and the driver that runs it and reads its log."""

import re
import sys

from pydantic import Field

from k12ai_ws.drivers import Code, Driver, LaunchSpec, LogParser, Metrics, Params, hookimpl


class Fit(Params):  # the request's service_params; the web form is drawn from it
    epochs: int = Field(20, ge=1, le=1000, description="Passes over the data")
    rate: float = Field(0.5, gt=0, le=10, description="Learning rate; a large one diverges")


class Log(LogParser):
    def feed(self, line):
        if found := re.fullmatch(r"\[(\d+)\] mse (\S+), slope (\S+)", line):
            yield Metrics(dict(zip(("epoch", "mse", "slope"), map(float, found.groups()), strict=True)))


class LinReg(Driver):
    service_name, description, tasks = "k12linreg", "Fits a line by gradient descent", {"train": Fit}

    def launch(self, job):
        return LaunchSpec(command=["python", "-m", "k12linreg", str(job.params.epochs), str(job.params.rate)])

    def parsers(self, job):
        return [Log()]

    def classify(self, fault):  # in this trainer an overflow means that the loss has diverged
        return Code.LOSS_NOT_FINITE if fault.detail.get("exc_type") == "OverflowError" else None


@hookimpl
def k12ai_drivers():
    return [LinReg()]


if __name__ == "__main__":
    epochs, rate, slope = int(sys.argv[1]), float(sys.argv[2]), 0.0
    points = [(x / 50, 3 * x / 50 + (x % 7 - 3) / 20) for x in range(-50, 50)]
    for epoch in range(1, epochs + 1):
        slope -= rate * sum(2 * x * (slope * x - y) for x, y in points) / len(points)
        print(f"[{epoch}] mse {sum((slope * x - y) ** 2 for x, y in points) / len(points):.4g}, slope {slope:.4g}")
