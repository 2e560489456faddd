"""Folders and files in buckets, gs://BUCKET/... and s3://BUCKET/...: their local copies, and what is sent back."""

from .address import as_address as as_address
from .address import with_addresses as with_addresses
from .files import WrittenFile as WrittenFile
from .files import fetch_file as fetch_file
from .folder_copy import FolderCopy as FolderCopy
from .folder_copy import inside as inside
from .folder_copy import local_folder as local_folder
from .folder_copy import place_of as place_of
from .folder_copy import publish as publish
from .options import InBucket as InBucket
