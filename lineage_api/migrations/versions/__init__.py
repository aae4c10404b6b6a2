"""Our migrations, oldest first."""
