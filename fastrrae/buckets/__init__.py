"""Runs and data in buckets, gs://BUCKET/... and s3://BUCKET/...: their local copies, and what is sent back."""

from .address import as_address as as_address
from .address import with_addresses as with_addresses
from .run_copy import RunCopy as RunCopy
