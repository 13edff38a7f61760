"""Requests to Reddit that wait as long as it asks, under PRAW."""

import email.utils
import time
from typing import Any

import prawcore
import requests

ATTEMPTS = 5
LONGEST_WAIT_S = 300  # Reddit's own window of counting is ten minutes, its usual answer a few seconds
BACK_OFF_S = 1.0


class PatientRequestor(prawcore.Requestor):
    """PRAW's requests, each made again when Reddit is busy, answers no JSON or not at all.

    PRAW raises a 429 at once, breaks on one whose Retry-After is a date, and does not repeat a request for a token.
    """

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """The answer to the request.

        Raises:
            ValueError: after all attempts, or asked to wait too long, there is none.
        """
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
                wait_s = read_wait_s(response.headers.get("retry-after", ""), wait_s)
            if wait_s > LONGEST_WAIT_S:
                problem += f" with a wait of {wait_s:.0f} seconds"
                break
            if attempt < ATTEMPTS - 1:
                time.sleep(wait_s)
        # Outside the `except`, since PRAW's exception holds the request with its secret.
        raise ValueError(f"{self.reddit_url}: expected an answer, got {problem}.")


def find_problem(response: requests.Response) -> str:
    """Why the answer is to be asked for again; empty where it is not."""
    if response.status_code == 429 or response.status_code >= 500:
        return f"status {response.status_code}"
    if response.status_code == 200:
        try:
            response.json()
        except ValueError:
            return "no JSON"
    return ""


def read_wait_s(retry_after: str, otherwise: float) -> float:
    """The seconds that a Retry-After asks for, a number or a date; `otherwise` where it is neither."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return otherwise
