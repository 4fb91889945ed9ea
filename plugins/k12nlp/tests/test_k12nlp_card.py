"""The card of a model, read by the server from a folder that jobs write to."""

import os

import pytest
from k12nlp.trainer import card


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_a_job_put_in_a_models_place_is_not_read(tmp_path, kind):
    """A container may write what it likes into its output folder; the server looks at the model with its own rights."""
    path, elsewhere = tmp_path / card.MODEL_FILE, tmp_path / "elsewhere"
    elsewhere.write_bytes(b"secret")
    match kind:
        case "link":
            path.symlink_to(elsewhere)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    with pytest.raises(card.BrokenModelError, match="no model"):
        card.read_card(path)
