"""Which releases of a runtime a hardware target promises, and where each of them is tried."""
