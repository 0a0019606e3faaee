"""`python -m compiler …` is `recipe …`."""

from compiler.cli import main

if __name__ == "__main__":
    main()
