"""An emulator of the Candid Health API over real HTTP, with a seeded world of invented patients.

    with running(EmulatorConfig(encounters=200)) as emulator:
        ...  # talk to emulator.url as client "emulator" with secret "emulator-secret"

or `python -m candid_provider.emulator --help`. It imports nothing else of the provider, so that it can
disagree with it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from candid_provider.emulator.config import EmulatorConfig, add_arguments, config_from
    from candid_provider.emulator.server import Emulator, main, run, running, serve

__all__ = ["Emulator", "EmulatorConfig", "add_arguments", "config_from", "main", "run", "running", "serve"]


def __getattr__(name: str) -> Any:
    # Importing the package, as a command line does to build its help, must not cost the web framework.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "config" if name in ("EmulatorConfig", "add_arguments", "config_from") else "server"
    return getattr(import_module(f"{__name__}.{module}"), name)
