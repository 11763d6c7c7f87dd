"""What fits: the largest fabric of each kind under the watts, dollars and racks of a site, and what binds it."""

from fabric.sizing.answers import Relief, Sized
from fabric.sizing.limits import Limits
from fabric.sizing.objectives import Objective
from fabric.sizing.sizes import Sizes, size, standing

__all__ = ["Limits", "Objective", "Relief", "Sized", "Sizes", "size", "standing"]
