"""Models: shapes by name, from files of others, and the formats of their numbers."""
