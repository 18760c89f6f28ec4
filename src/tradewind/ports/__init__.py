"""The protocols that the platform owns: what it needs from the outside, without naming a technology."""
