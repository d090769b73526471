"""The error that users see: subject, cause and cure in one line."""

from numbers import Integral, Real


class InputError(ValueError):
    """Input that cannot be used: an unreadable file, an unknown key, an impossible request.

    The command line prints it as one line on stderr and exits with code 2.

    Args:
        subject: the file, key or option that is wrong.
        cause: why it cannot be used.
        cure: what the user can do about it.
    """

    def __init__(self, subject: object, cause: str, cure: str = "") -> None:
        self.subject, self.cause, self.cure = str(subject), cause, cure
        text = f"{self.subject}: {cause}" + (f"; {cure}" if cure else "")
        super().__init__(" ".join(text.split()))


def require_flag(subject: object, value: object) -> None:
    """Raise an InputError for what is neither True nor False, such as the text ``"no"``, which counts as true."""
    is_number = isinstance(value, Real) and value in (0, 1)
    if not is_number and type(value).__name__ not in ("bool", "bool_"):  # bool_ is NumPy's
        raise InputError(subject, f"{value!r} is neither True nor False", "give one of them")


def require_number(subject: object, value: object, whole: bool = False) -> None:
    """Raise an InputError for what is no number, such as text; with ``whole``, for what is no whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        kind = "whole number" if whole else "number"
        raise InputError(subject, f"{value!r} is no {kind}", f"give a {kind}")
