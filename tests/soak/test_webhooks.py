"""`make soak`: the replay of real webhooks at its full size."""
import rig
import webhooks


def test_webhooks_survive_ten_kills_byte_for_byte(capfd):
    with capfd.disabled():
        print("\n# webhooks", flush=True)
        wrong, figures = webhooks.run()
        rig.show("webhooks", wrong, figures)
    assert not wrong, wrong[:20]
