"""A small real project: data, training, promotion."""
