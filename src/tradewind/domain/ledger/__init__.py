"""The books: double-entry postings and what each event posts."""
