"""Knows every error of this project. Does not know where one is shown.

PlaygroundError              a sentence for a person: what happened, and what to do next
 +-- UsageError              flags, environment or arguments that make no sense
 |    +-- CatalogError       a models.toml row is wrong, or a key does not exist
 |    +-- LibraryError       a file in prompts/ is wrong
 +-- PromptError             the prompt cannot be sent as it is
 |    +-- ImageError         an image cannot be read, or is too large
 |    +-- TooLongError       the prompt does not fit in the model's context
 +-- EngineError             one model could not answer; the other side goes on
 |    +-- UnreachableError   nothing listens at the model's address
 |    +-- RefusedError       the server answered with an error
 |    +-- StreamError        the answer broke off, stalled or was not a stream
 |    +-- WorkerError        a local model process did not start or died
 |    +-- WeightsError       weights could not be fetched, or are not what they should be
 +-- ForbiddenError          only the owner may do that, or a visitor's budget is used up
 +-- VoteError               a vote was not stored; nothing is lost, it can be cast again

Every message names the remedy. Keys of servers never appear in one.
"""


class PlaygroundError(Exception):
    """Base of all errors that this project raises on purpose; `str()` is fit for a person."""


class UsageError(PlaygroundError):
    """Flags, environment or arguments that make no sense."""


class CatalogError(UsageError):
    """A row of a models file is wrong, or a key is in none of them."""


class LibraryError(UsageError):
    """A prompt file is wrong."""


class PromptError(PlaygroundError):
    """The prompt cannot be sent as it is."""


class ImageError(PromptError):
    """An image cannot be read, or is larger than this app will open."""


class TooLongError(PromptError):
    """The prompt does not fit in the model's context; the message holds both numbers."""


class EngineError(PlaygroundError):
    """One model could not answer."""


class UnreachableError(EngineError):
    """Nothing listens at the model's address."""


class RefusedError(EngineError):
    """The server answered with an error."""


class StreamError(EngineError):
    """The answer broke off, stalled or was not a stream."""


class WorkerError(EngineError):
    """A local model process did not start, or died."""


class WeightsError(EngineError):
    """Weights could not be fetched, or are not what they should be."""


class ForbiddenError(PlaygroundError):
    """Only the owner of the page may do that, or what visitors may spend is spent."""


class VoteError(PlaygroundError):
    """A vote was not stored."""
