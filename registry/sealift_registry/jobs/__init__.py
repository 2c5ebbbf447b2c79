"""Work that outlives a command: jobs, their attempts and ends; and what runs their steps."""
