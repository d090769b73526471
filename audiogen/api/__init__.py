"""The Python interface behind the names that ``import audiogen`` offers.

Functions take the words of the command line's options and mean the same by them. They compute on one thread, as the
commands do, and report progress on a terminal, or to a callback ``progress(done, total, label)``.
"""
