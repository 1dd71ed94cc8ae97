"""The console command ``latents``."""

import sys

from . import _latents


def main() -> None:
    """Runs the command with the arguments of this process, and ends the process with its exit code."""
    sys.exit(_latents.command(["latents", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
