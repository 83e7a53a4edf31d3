"""`python -m unlearning` is the command `unlearn`."""

from __future__ import annotations

from unlearning.cli import main

if __name__ == "__main__":
    main(prog_name="python -m unlearning")
