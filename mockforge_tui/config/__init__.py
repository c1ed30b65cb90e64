"""One configuration from command line, environment, config file and defaults."""

from .model import Config as Config
from .model import ConfigError as ConfigError
from .resolving import Resolved as Resolved
from .resolving import resolve as resolve
