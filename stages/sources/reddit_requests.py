"""PRAW's requests to Reddit, which wait as long as Reddit asks."""

import time
from typing import Any

import prawcore
import requests

from stages.web.retry_after import read_retry_after
from stages.web.secrets import remember

ATTEMPTS = 5
LONGEST_WAIT_S = 300  # Reddit counts requests over ten minutes, and usually asks to wait a few seconds
BACK_OFF_S = 1.0


class PatientRequestor(prawcore.Requestor):
    """PRAW's requests, each repeated if Reddit is busy, does not answer or answers without JSON.

    PRAW itself raises an error for a 429 at once, fails if its Retry-After is a date, and does not repeat a request for
    a token.
    """

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """Return the answer to the request.

        Raises:
            ValueError: All attempts failed, or Reddit asks to wait too long.
        """
        _, _, token = (kwargs.get("headers") or {}).get("Authorization", "").partition(" ")
        remember(token, "token of Reddit")
        problem = ""
        for attempt in range(ATTEMPTS):
            wait_s = BACK_OFF_S * 2**attempt
            try:
                response = super().request(*args, timeout=timeout, **kwargs)
            except prawcore.RequestException as error:
                problem = type(error.original_exception).__name__
            else:
                problem = find_problem(response)
                if not problem:
                    return response
                wait_s = read_retry_after(response.headers.get("retry-after", ""), wait_s)
            if wait_s > LONGEST_WAIT_S:
                problem += f" with a wait of {wait_s:.0f} seconds"
                break
            if attempt < ATTEMPTS - 1:
                time.sleep(wait_s)
        # Raised outside of the `except`, since PRAW's exception holds the request with its secret.
        raise ValueError(f"{self.reddit_url}: expected an answer, got {problem}.")


def find_problem(response: requests.Response) -> str:
    """Return why the request must be repeated, or "" if the answer is usable."""
    if response.status_code == 429 or response.status_code >= 500:
        return f"status {response.status_code}"
    if response.status_code == 200:
        try:
            response.json()
        except ValueError:
            return "no JSON"
    return ""
