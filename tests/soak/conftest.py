import pytest
import rig


@pytest.fixture
def prove(capfd, request):
    """Runs a proof and prints what was measured, also when all is well."""
    def run(proof, *arguments, **sizes):
        with capfd.disabled():
            print(f"\n# {request.node.name}, seed {rig.SEED}", flush=True)
            wrong, figures = proof(*arguments, **sizes)
            rig.show(request.node.name, wrong, figures)
        assert not wrong, wrong[:20]

    return run
