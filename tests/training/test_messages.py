"""What a training says goes to the screen, or to whoever listens in its thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dlvc.training.messages import say, told_to


def test_a_listener_gets_the_lines_of_its_thread_and_nobody_elses(capsys):
    heard = []
    with told_to(heard.append):
        say("mine")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(say, "from another thread").result()
    say("afterwards")
    assert heard == ["mine"]
    assert capsys.readouterr().out.split("\n") == ["from another thread", "afterwards", ""]
