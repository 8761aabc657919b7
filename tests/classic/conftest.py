"""The programs here are run by `tests/test_classic_programs.py`; importing one would hold its chats."""

collect_ignore_glob = ["*.py"]
