"""`python -m fastrrae.cli.job ARGUMENTS`: the command line, in a process that ends with the one that started it."""

from ..side_by_side import stop_with_parent
from .main import main

if __name__ == "__main__":
    stop_with_parent()
    main()
