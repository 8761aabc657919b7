"""Rows 27 to 32 of the fault matrix: code in replies, whatever a model writes, and the word that ends a chat.

Each row has a test that is named after its number. Those that other modules hold already are named here again.
"""

import re
import time
from pathlib import Path

import pytest

from jupyter_agents.code_blocks import find_code_blocks
from jupyter_agents.session import use_session
from tests import test_code_blocks, test_code_replies, test_termination
from tests.fakes import FakeExecutor, quiet_session, user

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def answer_to(text):
    """What is answered to a message with code in it, and what ran."""
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor})
    _, reply = me.generate_code_execution_reply([{"content": text, "role": "user"}])
    return reply, executor.codes


test_row27_block_is_found_whatever_the_form_of_its_fence = (
    test_code_blocks.test_block_is_found_whatever_the_form_of_its_fence
)
test_row27_language_is_the_first_word_of_the_info_string = (
    test_code_blocks.test_language_is_the_first_word_of_the_info_string
)
test_row27_block_is_found_again_when_code_was_fenced = test_code_blocks.test_block_is_found_again_when_code_was_fenced
test_row28_block_is_not_closed_when_its_fence_is_not = test_code_blocks.test_block_is_not_closed_when_its_fence_is_not
test_row28_none_of_the_code_runs_when_a_block_is_cut_off = (
    test_code_replies.test_none_of_the_code_runs_when_a_block_is_cut_off_or_no_python
)


def test_row29_nothing_runs_and_the_error_is_told_when_a_fence_in_a_docstring_closes_the_block_early():
    reply, ran = answer_to('```python\ndef f():\n    """Shows:\n```\nx\n```\n    """\n    return 1\n```\n')

    assert ran == []
    assert "not valid Python" in reply or "not closed" in reply


test_row30_time_grows_with_the_length_and_not_with_its_square = (
    test_code_blocks.test_time_grows_with_the_length_and_not_with_its_square
)


def test_row30_text_that_stalls_a_backtracking_parser_is_read_in_seconds():
    started = time.monotonic()

    find_code_blocks("```a\nx" * 8000)

    assert time.monotonic() - started < 5


def test_row31_each_block_is_decided_on_by_itself_when_a_reply_has_several_languages():
    reply, ran = answer_to("```json\n{}\n```\n```python\n1\n```\n```text\nx\n```\n```sh\nls\n```")

    assert ran == ["1\n", "ls\n"]
    assert reply.startswith("exitcode: 0")


test_row31_language_that_is_unknown_is_a_failure_that_the_model_can_mend = (
    test_code_replies.test_language_that_the_executor_does_not_know_is_a_failure_that_the_model_can_mend
)
test_row32_message_is_the_last_when_its_own_last_words_say_so = (
    test_termination.test_message_is_the_last_when_its_own_last_words_say_so
)
test_row32_message_is_not_the_last_when_the_word_is_code_or_quoted = (
    test_termination.test_message_is_not_the_last_when_the_word_is_code_quoted_or_part_of_a_sentence
)


def test_every_row_has_a_test_of_its_name():
    named = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert {int(row) for row in re.findall(r"row(\d\d)_", named)} >= set(range(1, 33))
