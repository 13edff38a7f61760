"""Why an address gave nothing."""

# What can pass by itself, so that a run which was interrupted does not take it for the last word.
UNANSWERED = (
    "no such host", "no connection", "no valid certificate", "too slow", "broken off", "too many requests",
    "server error",
)  # fmt: skip


class FetchError(ValueError):
    """An address that gave nothing: `reason` is one of few, to be counted; `detail` is about this one.

    Args:
        where: the address, without what may be secret in it.
        reason: in few words.
        detail: what was found.
        is_passing: whether another try may do.
        wait_s: how long the host asks to be left alone, 0 where it does not.
    """

    def __init__(self, where: str, reason: str, detail: str = "", is_passing: bool = False, wait_s: float = 0) -> None:
        super().__init__(f"{where}: expected an answer, got {f'{reason}: {detail}' if detail else reason}.")
        self.reason = reason
        self.detail = detail
        self.is_passing = is_passing
        self.wait_s = wait_s
