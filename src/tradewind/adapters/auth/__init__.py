"""Proofs of identity: passwords, API keys, access tokens, and the authenticator that reads them from headers."""
