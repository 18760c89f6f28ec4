"""What connects the ports to the world: one folder a technology."""
