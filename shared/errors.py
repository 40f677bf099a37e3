"""Errors of the domain. `shared.api.problems` maps each to a status."""


class DomainError(Exception):
    """Base of the domain's errors. The messages are written for users of the API."""

    message = ""
    """The message, of errors that always have the same."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.message)


class TaskNotFound(DomainError):
    """No task has this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task with the id {task_id!r}.")


class NotInTrash(DomainError):
    """No deleted task has this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"There is no task with the id {task_id!r} in the trash. It may have been restored, or removed "
            "for good."
        )


class TitleTaken(DomainError):
    """Another task holds this title."""

    def __init__(self, title: str, task_id: str) -> None:
        super().__init__(f"Another task already has the title {title!r}. Choose a different one.")
        self.task_id = task_id
        """The task that holds it."""


class UnknownAssignee(DomainError):
    """The assignee is not a user."""

    def __init__(self, username: str) -> None:
        super().__init__(f"There is no user {username!r}. GET /users lists them.")


class IdempotencyKeyReused(DomainError):
    """The idempotency key belongs to another request of this user."""

    message = "This key was used for another request before. Use a new key for each task."


class VersionMismatch(DomainError):
    """The task has changed since the caller read it."""

    message = "The task has changed since you read it. Fetch it again and repeat your change."


class UsernameTaken(DomainError):
    """A user with this name exists, in whatever case it is written."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The username {username!r} is taken. Choose a different one.")


class SignUpDisabled(DomainError):
    """This deployment does not let people create users."""

    message = "Sign-up is switched off here. Ask an administrator for an account."


class BadCredentials(DomainError):
    """The name or the password is wrong; the message does not say which."""

    message = "The username or the password is wrong."


class UnsupportedGrant(DomainError):
    """The grant type is not supported."""

    message = (
        "There is no such grant_type here. Send password with a username and a password, or refresh_token "
        "with a refresh token."
    )


class InvalidRefreshToken(DomainError):
    """A refresh token is unknown, or its session has ended."""

    message = "The refresh token is not valid any more. Sign in again."


class RefreshTokenReused(InvalidRefreshToken):
    """A refresh token was used again, later than a retry is: one of two has stolen it."""


class WrongPassword(DomainError):
    """The current password is wrong."""

    message = "This is not your current password."


class TooManyAttempts(DomainError):
    """Too many attempts to guess a password or a token."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after} s.")
        self.retry_after = retry_after
        """Seconds to wait."""


class SessionEnded(DomainError):
    """The token's user was deleted, has a new password, or has signed out."""

    message = "Your session has ended. Sign in again."


class InsufficientScope(DomainError):
    """An API key does not allow this."""


class ApiKeyNotFound(DomainError):
    """A user has no API key with this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"You have no API key with the id {key_id!r}.")


class TooManyApiKeys(DomainError):
    """The user has the maximum number of API keys."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} API keys, and more are not possible. Delete one that is not used.")


class WebhookNotFound(DomainError):
    """No webhook has this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook with the id {webhook_id!r}.")


class TooManyWebhooks(DomainError):
    """There is the maximum number of webhooks."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} webhooks, and more are not possible. Delete an unused one.")


class InvalidToken(DomainError):
    """The token is forged, expired or not a token at all."""


class UncertainToken(InvalidToken):
    """The token may be good in a moment: its key is unknown here, or `iat` lies in the future."""


class Contention(DomainError):
    """Other writers won every race for the same item; nothing was written."""

    message = (
        "Too many requests are changing the same thing right now, and nothing was changed. "
        "Try again in a second."
    )


class Unavailable(DomainError):
    """A service did not respond in time, or no time was left for the next step; nothing was written."""

    message = (
        "A service that this API depends on did not respond in time, and nothing was changed. "
        "Try again in a second."
    )
