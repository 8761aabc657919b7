"""What a block of code will probably do, for the person who is asked whether it may run.

Found by reading, never by running: which of the user's variables it reads, sets and deletes, and notes on what it may
do outside of them. These are notes, not protection: code can hide anything from a reader of its text.
"""

from jupyter_agents.code_facts.facts import MAX_NAMES, CodeFacts, facts_of

__all__ = ["MAX_NAMES", "CodeFacts", "facts_of"]
