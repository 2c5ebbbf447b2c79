"""What a site believes of a bundle: TUF, floors, both logs, six conditions. It writes nothing."""
