"""``python -m latents`` is the command ``latents``."""

from ._command import main

if __name__ == "__main__":
    main()
