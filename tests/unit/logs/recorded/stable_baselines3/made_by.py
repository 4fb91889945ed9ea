"""Stable-Baselines3: `python made_by.py > log.txt 2>&1` writes expected.json from what its logger's writers get."""

import json
import sys
from pathlib import Path
from typing import Any

from stable_baselines3 import PPO
from stable_baselines3.common.logger import HumanOutputFormat, KVWriter, Logger

expected: list[dict[str, float]] = []


class Recorder(KVWriter):
    def write(self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0) -> None:
        for name in sorted(key_values):
            shown = key_values[name]
            value = float(f"{shown:.3g}" if isinstance(shown, float) else str(shown))
            if not name.startswith("time/"):
                expected.append(({"step": step} if name.startswith("train/") else {}) | {name: value})

    def close(self) -> None:
        """Nothing is open."""


model = PPO("MlpPolicy", "CartPole-v1", n_steps=128, batch_size=64, device="cpu", seed=0)
model.set_logger(Logger(None, [HumanOutputFormat(sys.stdout), Recorder()]))
model.learn(512)
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
