"""Where the hub keeps things: the database engine, its schema, and the lock of its one writer."""
