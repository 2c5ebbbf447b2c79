"""The site's own log: appending to it, reading it, and finding out that it is not all there."""
