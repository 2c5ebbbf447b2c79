"""The format on the medium: what lies where, writing it durably, reading it without trust."""
