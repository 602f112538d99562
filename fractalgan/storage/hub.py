"""Files of fractals on the Hugging Face Hub."""

import re
from pathlib import Path
from typing import Any

from fractalgan.errors import InputError, require_extra

HUB_FILE = "fractals.safetensors"  # of a repository, and of a folder that becomes one
LIBRARY = "fractalgan"
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # user/name


def download_fractals(repository: str, **options: Any) -> Path:
    """Download the file of fractals in a repository of the Hub, or find it in the cache.

    Args:
        repository: ``user/name``.
        options: as for ``huggingface_hub.hf_hub_download``: revision, token, cache_dir, and others.

    Raises:
        InputError: if huggingface_hub is not installed, or if there is no such file.
    """
    purpose = f"there are no fractals {repository!r} here, and reading them from the Hugging Face Hub"
    require_extra("hub", purpose)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    try:
        return Path(hf_hub_download(repository, HUB_FILE, library_name=LIBRARY, **options))
    except (OSError, EntryNotFoundError, HFValidationError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"there are no fractals {repository!r} here, and the Hugging Face Hub has no {HUB_FILE} of that"
            f" name ({reason}): check the name, the network, and for a private one `hf auth login`"
        ) from error
