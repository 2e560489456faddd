"""Where the checkpoints of a run are: on a disk, or in a bucket."""

from ..run_folder import RunFolder
from .bucket_checkpoints import BucketCheckpoints
from .checkpoint import CheckpointStore

Checkpoints = CheckpointStore | BucketCheckpoints


def open_checkpoints(folder: RunFolder, *, keep_last: int = 2, keep_best: int = 0, alone: bool = False) -> Checkpoints:
    """The store of a run; the arguments are those of `CheckpointStore`."""
    if folder.copy is not None:
        return BucketCheckpoints(folder.copy, keep_last=keep_last, keep_best=keep_best, alone=alone)
    return CheckpointStore(folder.checkpoints, keep_last=keep_last, keep_best=keep_best, alone=alone)
