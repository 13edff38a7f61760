"""The reading of the header Retry-After.

https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
"""

import time
from email.utils import parsedate_to_datetime


def read_retry_after(text: str, otherwise: float) -> float:
    """Return the seconds that a Retry-After asks to wait, as a number or as a date.

    Args:
        text: The header's value; a number may have a fraction, as some hosts send it.
        otherwise: The result if the text is neither a number nor a date.

    Returns:
        Seconds from 0 up, infinity included: a number or date below now counts as 0.
    """
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return otherwise
