"""The WebSocket service: pushes order updates and market data to clients, in Alpaca's streaming protocols."""
