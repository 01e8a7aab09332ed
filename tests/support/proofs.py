"""For modules that run the proofs of tests/soak in small: two gateways on one database that a proof may kill, with the settings
GATEWAYS of the module, and proved(proof, …), which fails with what the proof has found wrong. Each is imported by name."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak"))
import groups_rig  # noqa: E402
import rig  # noqa: E402
from harness import CALM  # noqa: E402

SEED = int.from_bytes(os.urandom(4), "big")


@pytest.fixture(scope="module")
def gateways(request):
    with groups_rig.Gateways({**CALM, **request.module.GATEWAYS}) as both:
        yield both
        assert both.stop() == []


@pytest.fixture
def proved(gateways):
    def prove(proof, *arguments, **sizes):
        for _ in range(3):                        # what took too long the machine may have held up: the best of three rounds counts
            wrong, figures = proof(gateways, *arguments, **sizes)
            if not wrong or not all(isinstance(one, rig.Slow) for one in wrong):
                break
        assert not wrong, (f"seed {SEED}", wrong[:20], figures)

    return prove
