"""How an option that is a path takes an address in a bucket."""

from enum import Enum


class InBucket(Enum):
    """Stands in the annotation of an option. Options without it take no address."""

    OPENED = "opened"  # by what reads or writes it: a run, data, a folder of results
    READ = "read"  # a file that is fetched first
    WRITTEN = "written"  # a file that is written locally, and sent when the command is done
