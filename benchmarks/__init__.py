"""What the answers cost, measured against the same answers written by hand."""
