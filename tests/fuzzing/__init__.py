"""Random requests, which a server has to answer cleanly: `python -m tests.fuzzing`."""
