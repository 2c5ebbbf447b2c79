"""What a site knows: its one database, the steps of its schema, and what is recorded in it."""
