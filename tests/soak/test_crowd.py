"""`make soak`: the crowd at its full size, by plain HTTP, and a smaller one by TLS."""
import crowd
import pytest
from rig import harness, show

import pki


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_crowd_of_readers_is_held_and_slow_clients_do_not_slow_it(capfd, request, tls):
    settings, context, ca = {"WEIR_HTTP_REQUEST_TIMEOUT": "5s"}, None, ""
    if tls:
        authority = pki.Authority(harness.scratch("pki-"), "authority")
        pair, ca, context = authority.server(), authority.certificate, authority.client()
        settings |= {"WEIR_TLS_CERTIFICATE": pair.certificate, "WEIR_TLS_KEY": pair.key}
    gateway = harness.dev(settings, context=context)
    try:
        wrong, figures = crowd.run(harness, gateway, count=2_000 if tls else 10_000, ca=ca)
        with capfd.disabled():
            show(request.node.name, wrong, figures)
        assert not wrong, wrong
        assert gateway.stop() == 0
    finally:
        gateway.kill()
        harness.remove(gateway)
