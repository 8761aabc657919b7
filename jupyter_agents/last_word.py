"""The word `TERMINATE` at the end of a message: whether it ends the chat, and the message without it.

Both are read by one rule: a summary loses the word exactly where it would end a chat.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from jupyter_agents.code_blocks import remove_code

WORD = "TERMINATE"

_OPENING = re.compile(r"(?:^|(?<=\s)|(?<=[\u3002\uff01\uff1f\u300d\uff09]))[*_`]*([\"'“‘«(\[<{]?)[*_`]*$")
_CLOSING = re.compile(r"[*_`.!]*([\"'”’»)\]>}]?)[*_`.!\u3002\uff01]*(?:[^\w\s\"'”’»)\]>},;:?/\\]|\s)*")
_ITEM = re.compile(r"[^\w]*(?:\d+[.)]\s*)?")
_SENTENCE_ENDS = re.compile(r"[^\w\s,:]$")
_BEFORE_SENTENCE = re.compile(r".*[.!?;…\u3002\uff01\uff1f](?=\s|$)", re.DOTALL)
_QUOTES = "\"'“‘«"

_SAYING = "reply|respond|answer|say|write|type|output|print|send|return|emit|use|add|append|include|put|mention"
_ASKS = re.compile(
    rf"""
    \b(?:{_SAYING} | saying | writing | sending | using | with | word | words | keyword | token | following | message | just | only | exactly | simply
       | then | or | and | to | the | (?-i:a) | an | of | by | as | for | until | before | please
       | not | never | \w+n['’]t | will | must | should | would | can | could | may | is | be | are | was)\W*$
    | (?:^|,)\W*(?:(?:and | but | or | so)\s+)?(?:when | once | if | until | unless | after | as\ soon\ as)\b
      [^,]*(?:,\W*(?:(?:and | then)\s+)?(?:{_SAYING} | end | finish | stop | close | conclude)\b.*)?,?\W*$
    | (?-i:\b[A-Z]{{2,}})\W*,\W*(?-i:[A-Z]{{2,}})\W*,\W*$ # it is one of several such words
    | \bplease\b
    | ^\W*(?:{_SAYING} | end | finish)\b(?!\W*[:=\uff1a]) # "Answer: 42" is one
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What asks for the word, or speaks of it: right before it, by a condition without what follows from it, as an
order with which the sentence begins or with which it goes on after a condition, or in a list of words like it."""


class _Found(NamedTuple):
    line: int
    start: int
    """Where on the line what is to go begins: a mark of a list goes along with a word that stands alone."""


def is_terminate(text: str, *, of_model: bool = False) -> bool:
    """Whether a message says that it is the last: the last line in its author's own words ends with `TERMINATE`.

    The word counts where it stands alone on its line, and as a sentence of its own ("It is 42. **TERMINATE**"). What a
    model has written (`of_model`) ends with it also within a sentence ("The answer is 42 TERMINATE"), unless the words
    before it ask for it ("then reply TERMINATE"): people's instructions do. Code blocks and quotations do not count.

    >>> is_terminate("It is 42. **TERMINATE**"), is_terminate("Then print('TERMINATE')")
    (True, False)
    >>> is_terminate("It is 42 TERMINATE"), is_terminate("It is 42 TERMINATE", of_model=True)
    (False, True)
    """
    return _find(text, of_model) is not None


def without_terminate(text: str, *, of_model: bool = False) -> str:
    """A message without the word that ends a chat with it; as it is, but for white space at its end, where none does.

    >>> without_terminate("It is 42.\\n\\n- **TERMINATE**"), without_terminate("Then reply TERMINATE")
    ('It is 42.', 'Then reply TERMINATE')
    """
    found = _find(text, of_model)
    if found is None:
        return text.rstrip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = lines[found.line][: found.start].rstrip()
    lines[found.line : found.line + 1] = [kept] if kept else []
    return "\n".join(lines).rstrip()


def _find(text: str, of_model: bool) -> _Found | None:
    if WORD not in text:
        return None
    own = remove_code(text).rstrip().split("\n")
    before, word, after = own[-1].rpartition(WORD)
    opening, closing = _OPENING.search(before), _CLOSING.fullmatch(after)
    if not word or opening is None or closing is None or bool(opening[1]) != bool(closing[1]):
        return None
    said = before[: opening.start()]
    if _ITEM.fullmatch(said):
        is_last = not _is_announced(text, len(own) - 1, of_model)
        return _Found(len(own) - 1, 0) if is_last else None
    if opening[1] and (not of_model or opening[1] in _QUOTES):
        return None
    return _Found(len(own) - 1, opening.start()) if _ends_sentence(said, of_model) else None


def _ends_sentence(said: str, of_model: bool) -> bool:
    """Whether the word ends what was said before it on its line, rather than being spoken of."""
    said = said.rstrip(" \t*_`")
    is_apart = _SENTENCE_ENDS.search(said) is not None
    return (is_apart or of_model) and _ASKS.search(_last_sentence(said)) is None


def _is_announced(text: str, at: int, of_model: bool) -> bool:
    """Whether the line before, code included, leads to the word: "When you are done, reply with:"."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:at]
    last = next((line.strip(" \t*_`") for line in reversed(lines) if line.strip()), "")
    return last.endswith((":", "\uff1a")) and (not of_model or _ASKS.search(_last_sentence(last)) is not None)


def _last_sentence(line: str) -> str:
    """What stands after the last end of a sentence. It is looked for from the beginning only: lines may be long."""
    before = _BEFORE_SENTENCE.match(line)
    return line if before is None else line[before.end() :]
