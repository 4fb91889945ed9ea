"""The packaging of k12ai_ws; `pyproject.toml` holds what only it can say (build backend, tools)."""

from pathlib import Path

from setuptools import find_packages, setup

TORCH = "torch>=2.2"
TEST = [
    "hypothesis>=6.100",
    "jsonschema>=4.20",
    "mypy>=1.13",
    "pytest>=8.2",
    "pytest-asyncio>=1.0",
    "pytest-xdist>=3.6",
    "ruff>=0.8",
    "schemathesis>=4.10",
    "setuptools>=77",
    "trustme>=1.1",
    "types-jsonschema",
    "types-psutil",
    "wsproto>=1.2",
]

setup(
    name="k12ai_ws",
    version="0.1.0",
    description="JSON requests in, containerised ML jobs run, raw logs out as a durable stream of typed events",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["k12ai_ws", "k12ai_ws.*"]),
    package_data={"k12ai_ws": ["py.typed"]},
    install_requires=[
        "docker>=7.1",
        "google-re2>=1.1",
        "nvidia-ml-py>=12.550",
        "orjson>=3.10",
        "pluggy>=1.5",
        "prometheus_client>=0.21",
        "psutil>=6.0",
        "pydantic>=2.10",
        "pydantic-settings>=2.7",
        "rich>=13.9",
        "tornado>=6.4",
    ],
    extras_require={"test": TEST},
    entry_points={
        "console_scripts": ["k12ai = k12ai_ws.cli:main"],
        "pytest11": ["k12ai_ws = k12ai_ws.testing.fixtures"],
    },
)
