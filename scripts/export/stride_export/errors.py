"""How a command of this package ends when something is wrong."""

import os
import sys

USAGE, INPUT = 2, 3  # exit codes, those of `stride`


class ExportError(Exception):
    """Something the user can put right: what was wrong, where, and what to do."""

    def __init__(self, message, code=INPUT):
        super().__init__(message)
        self.code = code


def usage_error(message):
    return ExportError(message, USAGE)


def first_line(error):
    """What an exception says, without the pages that torch adds."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def say(message):
    print(message, file=sys.stderr, flush=True)


def command_name(module):
    return os.environ.get("STRIDE_COMMAND", module)


def run(main, module):
    """Calls main(); an ExportError is one line on standard error and its exit code."""
    try:
        main()
    except ExportError as error:
        say(f"{command_name(module)}: {error}")
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.exit(130)
