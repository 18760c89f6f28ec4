"""How a simulated venue delays, prices and charges: small interchangeable policies, each with a null object."""
