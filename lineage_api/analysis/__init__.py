"""Answers to questions about models, as pure functions: values in, values out."""
