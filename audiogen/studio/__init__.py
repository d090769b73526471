"""The studio: a page in the browser on which takes are made, compared, kept and exported. The extra ``studio``.

`server` listens on the loopback address and serves `app`, whose routes read the `shelf` (a folder of recordings), keep
a `project` for each of them, and hand takes to the worker processes of `takes`. The page lies in ``static/``.
"""
