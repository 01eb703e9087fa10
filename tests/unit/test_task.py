"""What a message of the `exports` queue asks for, as it is written and read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.event import first_id
from auditlog.span import EVERYTHING, Span
from export.task import Task

SPAN = Span(first_id(1), first_id(2))
texts = st.text(st.characters(exclude_categories=["Cs"]))
spans = st.builds(Span, texts, texts)
tasks = st.one_of(
    st.builds(Task, texts, texts),
    st.builds(Task, texts, texts, spans),
    st.builds(lambda org, export_id: Task(org, export_id, finish=True), texts, texts),
)


@pytest.mark.parametrize(
    ("task", "body", "step"),
    [
        # What is on its way when a release comes is read by the next one.
        (Task("acme", "x1"), {"org": "acme", "export_id": "x1"}, "plan"),
        (
            Task("acme", "x1", SPAN),
            {"org": "acme", "export_id": "x1", "slice": [SPAN.first, SPAN.end]},
            f"slice/{SPAN.first}",
        ),
        (
            Task("acme", "x1", finish=True),
            {"org": "acme", "export_id": "x1", "finish": True},
            "finish",
        ),
    ],
)
def test_a_task_is_this_message(task: Task, body: object, step: str) -> None:
    assert json.loads(task.message()) == body
    assert Task.of(json.dumps(body)) == task
    assert task.step == step


@given(tasks)
def test_a_message_is_read_as_it_was_written(task: Task) -> None:
    assert Task.of(task.message()) == task


@given(tasks, tasks)
def test_two_tasks_are_one_step_where_they_begin_at_one_place(one: Task, other: Task) -> None:
    first = [task.slice.first if task.slice else (None, task.finish) for task in (one, other)]
    assert (one.step == other.step) == (first[0] == first[1])


def test_a_slice_and_its_rest_are_two_steps_and_a_slice_is_one_wherever_it_ends() -> None:
    rest = Task("acme", "x1", Span(SPAN.end, EVERYTHING.end))
    shorter = Task("acme", "x1", Span(SPAN.first, first_id(9)))
    assert Task("acme", "x1", SPAN).step == shorter.step != rest.step


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "null",
        "[]",
        "{}",
        '{"org": "acme"}',
        '{"org": "acme", "export_id": "x", "slice": [1]}',
    ],
)
def test_what_is_no_task_is_not_worked_on(body: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        Task.of(body)
