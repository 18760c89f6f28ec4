"""Orders: their terms, their state machine and the record that the core keeps of each."""
