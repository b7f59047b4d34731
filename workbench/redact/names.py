"""Names under which secrets stand."""

from __future__ import annotations

import re
from functools import lru_cache

_NAME = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secrets?|tokens?|credentials?|authorization|"
    r"(api|access|private|secret|account|signing|encryption)_?keys?)$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret: ``password``, ``api_key``, ``accessToken``, ``GITHUB_TOKEN``, ..."""
    return _NAME.search(_HUMP.sub("_", name).replace("-", "_").lower()) is not None
