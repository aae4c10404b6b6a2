"""Attacks on a running server, as data; a test and a command send them."""
