"""The `lift` command: one small module a command."""

from __future__ import annotations

import sys
import warnings

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit code 0, 1 (a LiftError), 2 (usage) or 130 (Ctrl-C)."""
    from lift.cli.app import app
    from lift.cli.console import fail, note
    from lift.errors import LiftError, LiftWarning

    # Libraries warn their developers; a user is told what lift has to say.
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", LiftWarning)
    warnings.showwarning = lambda message, *_, **__: note(f"warning: {message}")
    try:
        app()
    except LiftError as error:
        fail(str(error))
        sys.exit(1)
    except OSError as error:  # a full disk, a folder without permission
        fail(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
