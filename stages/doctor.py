"""Doctor: say what of the repository is torn or will not work, and mend what a killed DVC has left in part."""

import argparse
import sys

from stages.core.terminal import command
from stages.tracking.diagnosis import as_text, examine


def main() -> None:
    """Print the diagnosis; the exit status is 1 if something stops DVC until a person acts."""
    argparse.ArgumentParser(prog="python -m stages.doctor", description=__doc__).parse_args()
    diagnosis = examine()
    print(as_text(diagnosis) or "doctor: nothing is torn, and nothing stands in the way.")
    if diagnosis.faults:
        sys.exit(1)


if __name__ == "__main__":
    command(main)
