"""`python -m fastrrae` is `fastrrae`."""

from .cli import main

if __name__ == "__main__":
    main()
