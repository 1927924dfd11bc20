"""The emulated endpoints, a module for each area of the API; each registers its handlers when imported."""

from importlib import import_module
from pkgutil import iter_modules

from candid_provider.emulator.endpoints.registry import ANY_QUERY, HANDLERS, TOKEN_ENDPOINT, emulated

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["ANY_QUERY", "HANDLERS", "TOKEN_ENDPOINT", "emulated"]
