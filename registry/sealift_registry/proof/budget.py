"""How long something may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """So many seconds, from now on."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self._began)
