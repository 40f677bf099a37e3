"""Errors of the domain. `shared.api.problems` maps each to a status."""


class DomainError(Exception):
    """Base of the domain's errors. The messages are written for users of the API."""


class TaskNotFound(DomainError):
    """No task has this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task with the id {task_id!r}.")


class TitleTaken(DomainError):
    """Another task holds this title."""

    def __init__(self, title: str, task_id: str) -> None:
        super().__init__(f"Another task already has the title {title!r}. Choose a different one.")
        self.task_id = task_id
        """The task that holds it."""


class IdempotencyKeyReused(DomainError):
    """A user has used an idempotency key for another task before."""

    def __init__(self) -> None:
        super().__init__("This key was used for another request before. Use a new key for each task.")


class VersionMismatch(DomainError):
    """The task has changed since the caller read it."""

    def __init__(self) -> None:
        super().__init__("The task has changed since you read it. Fetch it again and repeat your change.")


class UsernameTaken(DomainError):
    """A user with this name exists, in whatever case it is written."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The username {username!r} is taken. Choose a different one.")


class SignUpDisabled(DomainError):
    """This deployment does not let people create users."""

    def __init__(self) -> None:
        super().__init__("Sign-up is switched off here. Ask an administrator for an account.")


class BadCredentials(DomainError):
    """The name or the password is wrong; the message does not say which."""

    def __init__(self) -> None:
        super().__init__("The username or the password is wrong.")


class UnsupportedGrant(DomainError):
    """The client asks for a token in a way that there is not."""

    def __init__(self) -> None:
        super().__init__("The only grant_type here is password. Send a username and a password.")


class WrongPassword(DomainError):
    """The current password that a user gave to change it is not the current one."""

    def __init__(self) -> None:
        super().__init__("This is not your current password.")


class TooManyAttempts(DomainError):
    """Somebody guesses, or does something that guessers do."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after} s.")
        self.retry_after = retry_after
        """Seconds to wait."""


class SessionEnded(DomainError):
    """The user of a token is gone, or has changed the password since it was issued."""

    def __init__(self) -> None:
        super().__init__("Your session has ended. Sign in again.")


class InvalidToken(DomainError):
    """The token is forged, expired or not a token at all."""


class UncertainToken(InvalidToken):
    """The token may be good in a moment: its key is not known yet, or the clock that it is from is ahead."""


class Contention(DomainError):
    """Other writers won every race for the same item; nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "Too many requests are changing the same thing right now, and nothing was changed. "
            "Try again in a second."
        )


class Unavailable(DomainError):
    """What the request needs did not respond, or left no time for the next step; nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "A service that this API depends on did not respond in time, and nothing was changed. "
            "Try again in a second."
        )


class SkipTooDeep(DomainError):
    """To skip as many tasks as a query asks for would read too much."""

    def __init__(self) -> None:
        super().__init__(
            "To skip this far would read too much, because some of the tasks are large. "
            "Follow the Link header from page to page instead: its cursor skips nothing."
        )
