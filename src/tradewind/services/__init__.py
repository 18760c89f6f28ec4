"""The application logic of each process."""
