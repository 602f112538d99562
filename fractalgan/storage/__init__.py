"""What is on disk: atomic writes, checkpoints, run folders, files of fractals, finished cells."""

from fractalgan.storage.atomic import atomic_path, atomic_write
from fractalgan.storage.backbone_file import BackboneFile, is_backbone, read_backbone, write_backbone
from fractalgan.storage.cells import Cells, Row
from fractalgan.storage.checkpoints import (
    AtomicCheckpointIO,
    as_checkpoint_error,
    newest_readable,
    read_checkpoint,
    submodule_state,
)
from fractalgan.storage.csv_file import write_csv
from fractalgan.storage.environment import record_start
from fractalgan.storage.fractal_content import FractalFile, require_indices
from fractalgan.storage.fractal_file import (
    READERS,
    close_names,
    is_repository,
    read_fractals,
    require_suffix,
    shipped_fractals,
    write_fractals,
)
from fractalgan.storage.labels import Labels
from fractalgan.storage.resources import CONFIGS, find_config, read_config
from fractalgan.storage.run_folder import RunFolder
from fractalgan.storage.stored_numbers import fractals_per_class, numbers_per_fractal, stored_numbers

__all__ = [
    "CONFIGS",
    "READERS",
    "AtomicCheckpointIO",
    "BackboneFile",
    "Cells",
    "FractalFile",
    "Labels",
    "Row",
    "RunFolder",
    "as_checkpoint_error",
    "atomic_path",
    "atomic_write",
    "close_names",
    "find_config",
    "fractals_per_class",
    "is_backbone",
    "is_repository",
    "newest_readable",
    "numbers_per_fractal",
    "read_backbone",
    "read_checkpoint",
    "read_config",
    "read_fractals",
    "record_start",
    "require_indices",
    "require_suffix",
    "shipped_fractals",
    "stored_numbers",
    "submodule_state",
    "write_backbone",
    "write_csv",
    "write_fractals",
]
