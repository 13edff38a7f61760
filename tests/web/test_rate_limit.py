import threading
import time

import pytest

from stages.web.rate_limit import Task, Turns


def task(name, host="a"):
    return Task(key=name, url=name, host=host)


def test_tasks_of_a_host_come_in_order_and_then_none():
    turns = Turns(per_host=1, per_second=1000)
    for name in "xyz":
        turns.add(task(name))
    taken = []
    while (one := turns.take()) is not None:
        taken.append(one.key)
        turns.finish(one)
    assert taken == ["x", "y", "z"]


def test_nothing_is_handed_out_while_the_host_has_enough():
    turns = Turns(per_host=1, per_second=1000)
    for name in ("x", "y"):
        turns.add(task(name))
    first, taken = turns.take(), []
    thread = threading.Thread(target=lambda: taken.append(turns.take().key))
    thread.start()
    thread.join(0.1)
    assert taken == []
    turns.finish(first)
    thread.join(1)
    assert taken == ["y"]


def test_another_host_is_served_meanwhile():
    turns = Turns(per_host=1, per_second=1000)
    for one in (task("x"), task("y"), task("z", "b")):
        turns.add(one)
    assert [turns.take().key, turns.take().key] == ["x", "z"]


def test_who_waits_is_told_when_the_last_task_is_over():
    turns = Turns(per_host=9, per_second=1000)
    turns.add(task("x"))
    one, ends = turns.take(), []
    thread = threading.Thread(target=lambda: ends.append(turns.take()))
    thread.start()
    thread.join(0.1)
    assert ends == []
    turns.finish(one)
    thread.join(1)
    assert ends == [None]


@pytest.mark.parametrize(("per_second", "number", "least_s"), [(20, 5, 0.2), (4, 3, 0.5), (2, 3, 1.0), (0.5, 2, 2.0)])
def test_starts_are_spaced_by_the_rate(per_second, number, least_s):
    turns = Turns(per_host=9, per_second=per_second)
    for name in range(number):
        turns.add(task(str(name)))
    start = time.monotonic()
    for _ in range(number):
        turns.finish(turns.take())
    assert least_s <= time.monotonic() - start < least_s + 0.5


def test_a_request_counts_until_a_second_after_its_end():
    turns = Turns(per_host=9, per_second=2)
    for name in "xyz":
        turns.add(task(name))
    first, second = turns.take(), turns.take()
    time.sleep(0.7)
    end = time.monotonic()
    turns.finish(first)
    turns.finish(second)
    turns.take()
    assert time.monotonic() - end >= 1.0


def test_a_paused_host_rests_and_a_late_task_overtakes_one_that_waits():
    turns = Turns(per_host=9, per_second=1000)
    turns.add(task("late"), wait_s=0.3)
    turns.add(task("early"))
    turns.add(task("other", "b"))
    turns.pause("b", 0.2)
    start = time.monotonic()
    assert [turns.take().key for _ in range(3)] == ["early", "other", "late"]
    assert 0.3 <= time.monotonic() - start < 0.6


def test_a_closed_line_hands_out_nothing():
    turns = Turns(per_host=1, per_second=1)
    turns.add(task("x"))
    turns.close()
    assert turns.take() is None
