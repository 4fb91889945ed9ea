"""What a server takes hold of at its start."""

import pytest

from k12ai_ws.settings.server import ServerSettings
from k12ai_ws.starting import StartError, bind


# Tornado leaves the socket of an address that cannot be had to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused_for_its_host(host: str) -> None:
    with pytest.raises(StartError, match=f"cannot listen on {host}:0: .*choose another --host"):
        bind(ServerSettings(host=host, port=0))
