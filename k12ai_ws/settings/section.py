"""The base of every section of the settings, and the kinds of values that they hold."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Memory = Annotated[int, Field(ge=6 << 20)]
"""An engine gives no container less than 6 MiB."""
Cores = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Base of the sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def absolute(value: Path) -> Path:
    """`value` with `~` expanded, absolute. Raises ValueError where it can be no path."""
    if "\0" in str(value):
        raise ValueError("a path cannot hold a NUL character")
    try:
        return value.expanduser().absolute()
    except RuntimeError as e:  # `~nobody/x`
        raise ValueError(str(e)) from e
