"""The engine: Rasa's agent in a process of its own, behind a Unix socket (`host`), and the edge's way to it (`client`)."""
