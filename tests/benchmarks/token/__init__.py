"""What sharing one token costs and saves, beside the clients one would write otherwise.

    uv run --group bench python -m tests.benchmarks.token

`cold`: many processes without a token, so many at a time, against the emulator; `warm`: a request with a token in
memory, against a server that always answers the same; `start`: a process that finds a token in the store.
"""
