"""What a network costs: its parts, laying its cables, running it for years, by what it delivers; a user's prices.

What asks for the time of a collective stands beside this face: fabric.costing.ownership."""

from fabric.costing.cabling import Cabling, cabling
from fabric.costing.capital import Cost, capital_cost, price_of, row_price, unit_price_usd
from fabric.costing.dollars import Usd
from fabric.costing.prices import priced, read_prices

__all__ = [
    "Cabling", "Cost", "Usd", "cabling", "capital_cost", "price_of", "priced", "read_prices", "row_price",
    "unit_price_usd",
]  # fmt: skip
