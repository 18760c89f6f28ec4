"""Orders: submit, list, get, replace, cancel."""
