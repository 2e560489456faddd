"""The command line, a file for each group of commands. Thin: they parse, call and print."""

from .main import main as main
from .main import run_command as run_command
