"""Rules for all that pytest runs here: the tests, the examples in the package's docstrings, the notebooks."""

import os
import signal

from hypothesis import settings

pytest_plugins = ("pytester", "tests.plugins.isolation", "tests.plugins.no_silent_skips")

settings.register_profile("default", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so begins what a shell starts with `&`, and all its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
