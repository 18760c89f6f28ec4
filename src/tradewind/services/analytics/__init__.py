"""The analytics service: how well each account did, read from the committed books and the stored prices."""
