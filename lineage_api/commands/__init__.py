"""Commands that do more than start something: what they look at, and the lines that they print."""
