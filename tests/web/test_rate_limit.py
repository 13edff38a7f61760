import threading
from types import SimpleNamespace

import pytest

from stages.web import rate_limit
from stages.web.rate_limit import Task, TaskQueue


@pytest.fixture
def clock(monkeypatch):
    """A clock for a queue that one thread uses: to wait takes no time and moves its hand."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)

    def wait(self, seconds):
        clock.now += seconds

    monkeypatch.setattr(rate_limit, "time", clock)
    monkeypatch.setattr(threading.Condition, "wait", wait)
    return clock


def task(name, host="a"):
    return Task(key=name, url=name, host=host)


def test_tasks_of_a_host_come_in_order_and_then_none():
    queue = TaskQueue(per_host=1, per_second=1000)
    for name in "xyz":
        queue.add(task(name))
    taken = []
    while (one := queue.take()) is not None:
        taken.append(one.key)
        queue.finish(one)
    assert taken == ["x", "y", "z"]


def test_no_task_is_handed_out_while_the_host_has_enough():
    queue = TaskQueue(per_host=1, per_second=1000)
    for name in ("x", "y"):
        queue.add(task(name))
    first, taken = queue.take(), []
    thread = threading.Thread(target=lambda: taken.append(queue.take().key))
    thread.start()
    thread.join(0.1)
    assert taken == []
    queue.finish(first)
    thread.join(1)
    assert taken == ["y"]


def test_another_host_gets_its_tasks_meanwhile():
    queue = TaskQueue(per_host=1, per_second=1000)
    for one in (task("x"), task("y"), task("z", "b")):
        queue.add(one)
    assert [queue.take().key, queue.take().key] == ["x", "z"]


def test_a_waiting_thread_ends_with_the_last_task():
    queue = TaskQueue(per_host=9, per_second=1000)
    queue.add(task("x"))
    one, ends = queue.take(), []
    thread = threading.Thread(target=lambda: ends.append(queue.take()))
    thread.start()
    thread.join(0.1)
    assert ends == []
    queue.finish(one)
    thread.join(1)
    assert ends == [None]


@pytest.mark.parametrize(("per_second", "number", "seconds"), [(20, 5, 0.2), (4, 3, 0.5), (0.8, 2, 1.25)])
def test_starts_are_spaced_by_the_rate(clock, per_second, number, seconds):
    queue = TaskQueue(per_host=9, per_second=per_second)
    for name in range(number):
        queue.add(task(str(name)))
    for _ in range(number):
        queue.finish(queue.take())
    assert clock.now - 1000 == pytest.approx(seconds)


def test_a_request_counts_until_a_second_after_its_end(clock):
    queue = TaskQueue(per_host=9, per_second=2)
    for name in "xyz":
        queue.add(task(name))
    first, second = queue.take(), queue.take()
    assert clock.now == 1000.5
    clock.now = 1007
    queue.finish(first)
    queue.finish(second)
    queue.take()
    assert clock.now == 1008


def test_a_paused_host_rests_and_a_late_task_overtakes_one_that_waits(clock):
    queue = TaskQueue(per_host=9, per_second=1000)
    queue.add(task("late"), wait_s=0.3)
    queue.add(task("early"))
    queue.add(task("other", "b"))
    queue.pause("b", 0.2)
    taken = [(queue.take().key, pytest.approx(clock.now - 1000)) for _ in range(3)]
    assert taken == [("early", 0), ("other", 0.2), ("late", 0.3)]


def test_a_closed_queue_hands_out_no_task():
    queue = TaskQueue(per_host=1, per_second=1)
    queue.add(task("x"))
    queue.close()
    assert queue.take() is None
