"""The emulated endpoints, a package for each area of the API; each module registers its handlers when imported."""

from importlib import import_module
from pkgutil import walk_packages

from candid_provider.emulator.endpoints.registry import ANY_QUERY, HANDLERS, TOKEN_ENDPOINT, emulated

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["ANY_QUERY", "HANDLERS", "TOKEN_ENDPOINT", "emulated"]
