"""The networks that models/ trains, by name."""
from cct import Cct
from pit import Pit
from vit import Vit


def network(name, rank=0):
    if name == "vit":
        return Vit(rank=rank)
    return {"cct": Cct, "pit": Pit}[name]()
