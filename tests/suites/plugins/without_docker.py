"""aio-pika's suite starts its broker by Docker; with this (`-p`) it dials the one that runs."""

from typing import Any

from tests import docker_client  # type: ignore[attr-defined]


class Here:
    """Stands for a client of Docker."""

    def __init__(self, *_: Any) -> None:
        pass

    def run(self, *_: Any, **__: Any) -> Any:
        ports = {"5672/tcp": 5672, "5671/tcp": 5671}
        return docker_client.ContainerInfo(id="running", host="127.0.0.1", ports=ports)

    def kill(self, _: str) -> None:
        pass

    remove = stop = kill


docker_client.check_docker_available = docker_client.parse_docker_host
docker_client.DockerClient = Here
