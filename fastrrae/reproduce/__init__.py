"""The tables of the papers and our own, as runs."""

from .adaptive_rank_tables import ADAPTIVE_RANK_TABLES
from .autoencoder_papers import AUTOENCODER_TABLES
from .collapse_tables import COLLAPSE_TABLES
from .family_tables import FAMILY_TABLES
from .irmae_paper import IRMAE_TABLES
from .reproduction import Reproduction as Reproduction
from .reproduction import reproduce as reproduce
from .specification import RowSpec as RowSpec
from .specification import TableSpec as TableSpec
from .specification import run_config as run_config
from .structured_tables import STRUCTURED_TABLES
from .tuning_tables import TUNING_TABLES
from .vrrae_paper import VRRAE_TABLES

TABLES: dict[str, TableSpec] = {
    table.name: table
    for tables in (
        VRRAE_TABLES,
        TUNING_TABLES,
        AUTOENCODER_TABLES,
        IRMAE_TABLES,
        FAMILY_TABLES,
        COLLAPSE_TABLES,
        ADAPTIVE_RANK_TABLES,
        STRUCTURED_TABLES,
    )
    for table in tables
}
