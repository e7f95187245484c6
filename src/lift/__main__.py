"""`python -m lift` is the `lift` command."""

from lift.cli import main

if __name__ == "__main__":
    main()
