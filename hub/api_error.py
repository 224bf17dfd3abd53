"""The errors of the Hub's API, by the codes and messages that its client tells them apart by."""

from collections.abc import Iterable
from http import HTTPStatus


class ApiError(Exception):
    """The request gets an error status; `code` is what the Hub's client tells errors apart by."""

    def __init__(self, status: HTTPStatus, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def refuse_entry(message: str) -> ApiError:
    """The error for a file or folder that a repository does not have."""
    return ApiError(HTTPStatus.NOT_FOUND, message, "EntryNotFound")


def refuse_parameter(name: str, value: str, allowed: Iterable[str]) -> ApiError:
    """The error for a value that a parameter cannot have."""
    return ApiError(HTTPStatus.BAD_REQUEST, f"{name}={value}; allowed are {', '.join(sorted(allowed))}")
