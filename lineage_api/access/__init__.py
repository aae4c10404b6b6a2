"""Who may come in, and who may do what: by tokens, roles, hosts and origins."""
