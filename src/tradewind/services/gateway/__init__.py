"""The API gateway: Alpaca's trading REST API and log-in, in front of the order service."""
