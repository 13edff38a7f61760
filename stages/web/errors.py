"""The reasons why an address gave no usable answer."""

from stages.web.secrets import hide

# Reasons that can pass by themselves: a later run asks such an address again.
UNANSWERED = (
    "no such host", "no connection", "no valid certificate", "too slow", "broken off", "too many requests",
    "server error",
)  # fmt: skip


class FetchError(ValueError):
    """An address that gave no usable answer; keys that a server sent back are hidden.

    Args:
        where: The address, without parts that may be secret.
        reason: One of a few short texts, which are counted.
        detail: The details of this failure.
        is_passing: Whether another try may succeed.
        wait_s: The seconds that the host asks to wait before another try, 0 if it does not ask.
    """

    def __init__(self, where: str, reason: str, detail: str = "", is_passing: bool = False, wait_s: float = 0) -> None:
        self.reason = reason
        self.detail = hide(detail)
        self.finding = f"{reason}: {self.detail}" if detail else reason
        super().__init__(f"{hide(where)}: expected an answer, got {self.finding}.")
        self.is_passing = is_passing
        self.wait_s = wait_s
