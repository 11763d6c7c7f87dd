"""Routing: traffic on a topology to the load of every arc; one file per family of routings."""
