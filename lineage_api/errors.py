"""What can go wrong, as a tree.

* LineageError
  - Unreadable     the request is malformed                      BAD_USER_INPUT
  - NotFound       it names something that is not there          NOT_FOUND
  - Forbidden      the caller may not do this                    FORBIDDEN
  - Unauthenticated it is not known who asks                     UNAUTHENTICATED
  - TooMuch        the request is over a limit                    TOO_COMPLEX
  - Overloaded     too many ask at the same time                 OVERLOADED
  - TimedOut       it, or something outside, takes too long      TIMEOUT
  - Unsuitable     the store cannot be served as it is           a line at the start, exit code 2
  - Refused        a change cannot be made (registry.reasons)    the payload's `errors`

All else is a defect: masked as INTERNAL, with the same ID in the answer and in the log.
"""


class LineageError(Exception):
    """Something that a caller can act on; its message says what is wrong and what would be right."""

    code: str
    """What programs know it by: `extensions.code` of a GraphQL error."""


class Unreadable(LineageError):
    """The request is malformed: an argument out of range, a combination that says nothing, a cursor of another list."""

    code = "BAD_USER_INPUT"


class NotFound(LineageError):
    """The question names something that is not there."""

    code = "NOT_FOUND"


class Unsuitable(LineageError):
    """The store cannot be served as it is: another version of MLflow, no SQL database, workspaces in use."""

    code = "UNSUITABLE_STORE"


class Forbidden(LineageError):
    """The caller may not do this; the message says what it takes."""

    code = "FORBIDDEN"


class Unauthenticated(LineageError):
    """It is not known who asks: no token, or none that is known, or one that has expired. Which of them is not said."""

    code = "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__("Say who you are, by a token that is valid: `Authorization: Bearer …`.")


class TooMuch(LineageError):
    """The request is over a limit; the message has both numbers."""

    code = "TOO_COMPLEX"


class Overloaded(LineageError):
    """Too many ask at the same time; nothing was begun."""

    code = "OVERLOADED"

    def __init__(self) -> None:
        super().__init__("Too many operations wait to be run; nothing was begun. Try again in a moment.")


class TimedOut(LineageError):
    """An operation takes too long, or something outside this process does not answer, such as a locked database."""

    code = "TIMEOUT"
