"""What should run at a site, and making it so: links, hooks, health checks, going back."""
