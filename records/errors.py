"""The error tree. A branch says who must act; a leaf says what failed.

AutoAnnotatorError
├── PersonError            the caller: change the command, the settings or the task        exit 2
│   ├── SettingsError          one or more settings are wrong; all are reported at once
│   ├── NotYetError            the option is planned and not built yet
│   ├── TaskUnclearError       the labels or the text column cannot be told
│   ├── RunFolderError         the output folder cannot be used
│   └── SandboxRefusedError    untrusted code, and no sandbox that contains it
├── DataError              the data file: mend the file                                    exit 2
├── ModelError             a model, large or small, did not do its job                     exit 5
│   ├── ReplyError             an LLM's reply could not be used, after asking again
│   └── NoSpecialistsError     no candidate passed its tests and its audition
├── InfrastructureError    a machine or a service: start it, or wait, then `resume`        exit 5
│   ├── HubUnreachableError
│   │   └── HubStatusError     it answers, and to this request with an error that stays
│   ├── RequestsSpentError     a search of the Hub made all its requests (`--hub-requests`)
│   ├── CorruptFileError       a kept file is not the one that was announced
│   ├── LLMUnreachableError
│   └── SandboxError           the sandbox itself failed, not the program in it
├── BudgetReachedError     the money of `--budget` is gone; resumable with more            exit 4
└── WaitingForPersonError  the run waits for a person; resumable                           exit 6
"""

from typing import ClassVar, Literal


class AutoAnnotatorError(Exception):
    """Something failed: `what` happened (with the value and what is allowed), and the `next_step` to take."""

    exit_status: ClassVar[int] = 1

    def __init__(self, what: str, *, next_step: str) -> None:
        super().__init__(what, next_step)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}\n{self.next_step}"


class PersonError(AutoAnnotatorError):
    exit_status = 2


class SettingsError(PersonError):
    pass


class NotYetError(PersonError):
    pass


class TaskUnclearError(PersonError):
    """What the task needs cannot be told from the sentence and the file; `asks` is the setting that would say it.

    `in_words`: an answer in any words will do, not only a list of values.
    """

    def __init__(self, what: str, *, next_step: str, asks: Literal["labels", "text"], in_words: bool = False) -> None:
        super().__init__(what, next_step=next_step)
        self.asks: Literal["labels", "text"] = asks
        self.in_words = in_words


class RunFolderError(PersonError):
    pass


class SandboxRefusedError(PersonError):
    pass


class DataError(AutoAnnotatorError):
    """A data file cannot be read: `place` is the row, line, sheet or column, where there is one."""

    exit_status = 2

    def __init__(self, file: str, reason: str, *, next_step: str, place: str | None = None) -> None:
        where = f"{file}, {place}" if place else file
        super().__init__(f"{where}: {reason}", next_step=next_step)
        self.file = file
        self.place = place
        self.reason = reason


class ModelError(AutoAnnotatorError):
    exit_status = 5


class ReplyError(ModelError):
    pass


class NoSpecialistsError(ModelError):
    pass


class InfrastructureError(AutoAnnotatorError):
    exit_status = 5


class HubUnreachableError(InfrastructureError):
    pass


class HubStatusError(HubUnreachableError):
    """The Hub answered one request with the error `status`, however often it was asked; `answer` is what it said."""

    def __init__(self, what: str, *, next_step: str, status: int, answer: str) -> None:
        super().__init__(what, next_step=next_step)
        self.status = status
        self.answer = answer


class RequestsSpentError(InfrastructureError):
    pass


class CorruptFileError(InfrastructureError):
    pass


class LLMUnreachableError(InfrastructureError):
    pass


class SandboxError(InfrastructureError):
    pass


class BudgetReachedError(AutoAnnotatorError):
    exit_status = 4


class WaitingForPersonError(AutoAnnotatorError):
    exit_status = 6
