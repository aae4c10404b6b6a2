"""What can be asked, and how it is asked over HTTP."""
