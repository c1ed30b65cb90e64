"""`mockforge-tui doctor`: what would be in the way of a start with these settings."""

from collections.abc import Iterable

from ..config import Config
from .files import file_findings
from .finding import Finding, rendered, status_of
from .network import localhost_addresses, localhost_findings, port_findings
from .packages import own_requirements, package_findings, python_findings
from .terminal import here, terminal_findings

__all__ = ["Finding", "diagnose", "rendered", "status_of"]


def diagnose(config: Config, paths: Iterable[str]) -> list[Finding]:
    """Look at this machine; nothing stays open, and nothing is written."""
    return [
        *python_findings(),
        *package_findings(config, own_requirements()),
        *terminal_findings(here()),
        *file_findings(config, paths),
        *port_findings(config),
        *localhost_findings(config, localhost_addresses()),
    ]
