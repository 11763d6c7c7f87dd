"""What a network and its site draw: nameplates, the fabric's watts by kind, the site's, its delivery and its swing.

What asks for the time of a collective stands beside this face: fabric.powering.swing."""

from fabric.powering.delivery import Delivery, Stage, deliver
from fabric.powering.nameplates import Watts, power_key, power_of, row_power_w, row_watts, unit_power_w
from fabric.powering.network import Draw, Power, network_power
from fabric.powering.shares import KindPower, by_kind
from fabric.powering.sides import SCOPES, Side, side_networks
from fabric.powering.site import SitePower, drawn_facility_w, house_of, rack_of, site_power

__all__ = [
    "SCOPES", "Delivery", "Draw", "KindPower", "Power", "Side", "SitePower", "Stage", "Watts",
    "by_kind", "deliver", "drawn_facility_w", "house_of", "network_power", "power_key", "power_of", "rack_of",
    "row_power_w", "row_watts", "side_networks", "site_power", "unit_power_w",
]  # fmt: skip
