"""The interface: one small router per file; ``app.py`` lists them."""
