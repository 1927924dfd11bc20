"""One request and its answer: what was asked, whether it fits, and how it is paged."""
