"""Conversations are forgotten: after a while, at once when asked, and never mixed up."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.memory import Memory

IDLE, ABSOLUTE, MOST = 30.0, 100.0, 4


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def memory(clock: Clock, most: int = MOST) -> Memory:
    return Memory(IDLE, ABSOLUTE, most, clock)


def test_the_same_name_finds_the_same_conversation_and_another_channel_does_not() -> None:
    kept = memory(Clock())
    first, _ = kept.open("web", "a", "sv")
    assert kept.open("web", "a", "sv")[0] is first
    assert kept.open("rest", "a", "sv")[0] is not first
    assert kept.open("web", "b", "sv")[0].id != first.id


def test_idle_conversations_are_dropped_and_reported() -> None:
    clock = Clock()
    kept = memory(clock)
    first, _ = kept.open("web", "a", "sv")
    clock.now = IDLE - 0.1
    assert kept.open("web", "a", "sv")[0] is first
    clock.now += IDLE
    again, dropped = kept.open("web", "a", "sv")
    assert again is not first
    assert dropped == [first]


def test_a_busy_conversation_ends_too() -> None:
    clock = Clock()
    kept = memory(clock)
    first, _ = kept.open("web", "a", "sv")
    while clock.now < ABSOLUTE:
        clock.now += IDLE / 2
        kept.open("web", "a", "sv")
    assert kept.open("web", "a", "sv")[0] is not first


def test_nothing_in_memory_is_what_a_channel_called_somebody() -> None:
    kept = memory(Clock())
    kept.open("rest", "+46 70 174 06 05", "sv")
    assert b"174" not in b"".join(kept._kept)
    assert "174" not in repr(kept._kept)


def test_two_processes_hash_the_same_name_differently() -> None:
    one, other = memory(Clock()), memory(Clock())
    one.open("rest", "a", "sv")
    other.open("rest", "a", "sv")
    assert set(one._kept) != set(other._kept)


class Remembering(RuleBasedStateMachine):
    """Against a plain model: who is remembered, and since when."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.kept = memory(self.clock)
        self.model: dict[str, tuple[str, float, float]] = {}

    def expire(self) -> None:
        now = self.clock.now
        self.model = {n: v for n, v in self.model.items() if now - v[2] < IDLE and now - v[1] < ABSOLUTE}

    @rule(name=st.sampled_from("abcdef"))
    def open(self, name: str) -> None:
        self.expire()
        conversation, _ = self.kept.open("web", name, "sv")
        if name in self.model:
            assert conversation.id == self.model[name][0]
            self.model[name] = (conversation.id, self.model[name][1], self.clock.now)
        else:
            assert conversation.id not in [value[0] for value in self.model.values()]
            self.model[name] = (conversation.id, self.clock.now, self.clock.now)
        self.model[name] = self.model.pop(name)
        while len(self.model) > MOST:
            del self.model[next(iter(self.model))]

    @rule(name=st.sampled_from("abcdef"))
    def forget(self, name: str) -> None:
        self.kept.drop_expired()
        self.expire()
        dropped = self.kept.forget("web", name)
        assert (dropped.id if dropped else None) == (self.model.pop(name)[0] if name in self.model else None)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def remembers_no_more_than_the_model(self) -> None:
        self.kept.drop_expired()
        self.expire()
        assert len(self.kept) == len(self.model) <= MOST


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
