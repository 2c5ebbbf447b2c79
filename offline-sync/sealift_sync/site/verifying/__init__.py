"""What a site believes of a bundle: TUF, floors, both logs, six conditions. The commit keeps it."""
