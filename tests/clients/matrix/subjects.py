"""Who is dialled: our program, or one of the originals in its place, with the same listeners.

Each has a listener without TLS for anybody, and one with TLS for the user alice (password secret)
alone. `end_connections` and `restart` do to it what an operator would do.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers import tls

from tests.benchmarks.common import Skipped, free_port, wait_for_port

PROTOCOLS = ("kafka", "mqtt", "amqp")


class Subject:
    """A running broker. `facts` are the variables that clients read."""

    name = ""
    protocols: tuple[str, ...] = PROTOCOLS

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    def end_connections(self, protocol: str) -> None:
        raise NotImplementedError

    def restart(self, protocol: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Ours(Subject):
    """`mockforge-tui --headless` in a process of its own."""

    name = "mockforge-tui"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._output = (folder / "output").open("w")
        command = ["--tls", "auto", "--tls-dir", str(folder / "tls")]
        command += ["--user", "alice:secret", "--anonymous", "--amqp-management", "--mqtt-sn"]
        self._process, ready = self._started(folder, *command)
        lines = (folder / "env").read_text().splitlines()
        self.facts = dict(line.split("=", 1) for line in lines)
        self.version = ready["version"]
        # For the one client that checks what AWS IoT Core would not take.
        (folder / "aws").mkdir()
        alone = ("--no-kafka", "--no-amqp", "--no-admin", "--mqtt-as", "aws-iot")
        self._as_aws, ready = self._started(folder / "aws", *alone)
        self.facts["MQTT_AWS_URL"] = ready["mqtt"]["url"]

    def _started(self, folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], Any]:
        """A process of ours, with its ready line."""
        ready = folder / "ready.json"
        command = [sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports", *options]
        command += ["--ready-file", str(ready), "--env-file", str(folder / "env")]
        process = subprocess.Popen(command, stdout=self._output, stderr=self._output)
        _wait(ready.exists, process, "the ready line")
        return process, json.loads(ready.read_text())

    def _command(self, line: str) -> bool:
        request = urllib.request.Request(
            f"{self.facts['MOCKFORGE_URL']}/commands", json.dumps({"line": line}).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return bool(json.load(response)["ok"])
        except urllib.error.HTTPError:
            return False

    def end_connections(self, protocol: str) -> None:
        """Once there are any: a program may ask while it still dials."""
        deadline = time.monotonic() + 10
        while not self._command(f"conn kill (proto:{protocol}) -y"):
            if time.monotonic() > deadline:
                raise RuntimeError("no connection to cut")
            time.sleep(0.02)

    def restart(self, protocol: str) -> None:
        self._command(f"broker restart {protocol} -y")

    def close(self) -> None:
        _end(self._process)
        _end(self._as_aws)
        self._output.close()


class _Process(Subject):
    """An original as one process, which is ended and started again."""

    def __init__(self, folder: Path, command: list[str], ports: tuple[int, ...]) -> None:
        super().__init__()
        self._folder, self._command, self._ports = folder, command, ports
        self._output = (folder / "output").open("a")
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=self._output, stderr=self._output, cwd=self._folder
        )
        for port in self._ports:
            wait_for_port(port, 150)

    def end_connections(self, protocol: str) -> None:
        self.restart(protocol)

    def restart(self, protocol: str) -> None:
        _end(self._process)
        self._start()

    def close(self) -> None:
        _end(self._process)
        self._output.close()


class Mosquitto(_Process):
    """Debian's."""

    name = "Mosquitto"
    protocols = ("mqtt",)

    def __init__(self, folder: Path) -> None:
        issued = tls.issue(folder, ["localhost"])
        plain, secured, ws, wss = (free_port() for _ in range(4))
        passwords = folder / "passwords"
        made = ["mosquitto_passwd", "-b", "-c", str(passwords), "alice", "secret"]
        try:
            subprocess.run(made, check=True, capture_output=True)
            program = _program("/usr/sbin/mosquitto")
        except FileNotFoundError as error:
            raise Skipped(f"no {error.filename}") from None
        keys = f"cafile {issued.ca}\ncertfile {issued.certificate}\nkeyfile {issued.key}\n"
        keys += f"allow_anonymous false\npassword_file {passwords}\n"
        (folder / "mosquitto.conf").write_text(
            "per_listener_settings true\npersistence true\nuser root\n"
            f"persistence_location {folder}/\n"
            f"listener {plain} 127.0.0.1\nallow_anonymous true\n"
            f"listener {ws} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n"
            f"listener {secured} 127.0.0.1\n{keys}"
            f"listener {wss} 127.0.0.1\nprotocol websockets\n{keys}"
        )
        super().__init__(folder, [program, "-c", str(folder / "mosquitto.conf")], (plain, secured))
        self.facts = {
            "MQTT_URL": f"mqtt://127.0.0.1:{plain}",
            "MQTT_HOST": "127.0.0.1",
            "MQTT_PORT": str(plain),
            "MQTT_TLS_URL": f"mqtts://127.0.0.1:{secured}",
            "MQTT_WS_URL": f"ws://127.0.0.1:{ws}/mqtt",
            "MQTT_WSS_URL": f"wss://127.0.0.1:{wss}/mqtt",
            "MOCKFORGE_TLS_CA": str(issued.ca),
        }


class Kafka(_Process):
    """Apache Kafka of one node, from the jars that the benchmarks use."""

    name = "Apache Kafka"
    protocols = ("kafka",)

    def __init__(self, folder: Path) -> None:
        from tests.benchmarks.kafka_apache import jars

        issued = tls.issue(folder, ["localhost"])
        pem = folder / "server.all.pem"
        pem.write_text(issued.key.read_text() + issued.certificate.read_text())
        plain, secured, controller = (free_port() for _ in range(3))
        login = "org.apache.kafka.common.security"
        here = "listener.name.sasl_ssl"
        properties = folder / "server.properties"
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},"
            f"CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured}",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map="
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"{here}.plain.sasl.jaas.config={login}.plain.PlainLoginModule required "
            'user_alice="secret";',
            f"{here}.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;",
            f"{here}.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={pem}",
            f"log.dirs={folder}/data",
            "num.partitions=3",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=4",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=4",
            "group.initial.rebalance.delay.ms=0",
            "controlled.shutdown.enable=false",
            "log.cleaner.dedupe.buffer.size=16777216",
        ]
        properties.write_text("\n".join(lines) + "\n")
        java = ["java", "-Xms256m", "-Xmx700m", "-cp", f"{jars()}/*"]
        storage = [*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk"]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            storage += ["--add-scram", f"{mechanism}=[name=alice,password=secret]"]
        made = subprocess.run(
            [*storage, "-c", str(properties)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise Skipped(f"Apache Kafka: {(made.stdout + made.stderr).strip()[-300:]}")
        super().__init__(folder, [*java, "kafka.Kafka", str(properties)], (plain, secured))
        self.facts = {
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{plain}",
            "KAFKA_TLS_BOOTSTRAP_SERVERS": f"127.0.0.1:{secured}",
            "MOCKFORGE_TLS_CA": str(issued.ca),
        }


class RabbitMQ(_Process):
    """A node of its own, with a port mapper of its own."""

    name = "RabbitMQ"
    protocols = ("amqp",)

    def __init__(self, folder: Path) -> None:
        from tests.benchmarks.amqp import node_environment

        issued = tls.issue(folder, ["localhost"])
        plain, secured, management = (free_port() for _ in range(3))
        self._environment = node_environment(str(folder), plain)
        self._environment["RABBITMQ_CONFIG_FILE"] = str(folder / "rabbitmq.conf")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{plain}\n"
            f"listeners.ssl.1 = 127.0.0.1:{secured}\n"
            f"ssl_options.cacertfile = {issued.ca}\n"
            f"ssl_options.certfile = {issued.certificate}\n"
            f"ssl_options.keyfile = {issued.key}\n"
            "ssl_options.verify = verify_none\n"
            "default_user = alice\ndefault_pass = secret\nloopback_users = none\n"
            f"management.tcp.port = {management}\nmanagement.tcp.ip = 127.0.0.1\n"
        )
        (folder / "plugins").write_text("[rabbitmq_management].\n")
        super().__init__(folder, [_program(_RABBITMQ)], (plain, secured, management))
        login = "alice:secret@127.0.0.1"
        self.facts = {
            "AMQP_URL": f"amqp://{login}:{plain}/%2F",
            "AMQP_TLS_URL": f"amqps://{login}:{secured}/%2F",
            "AMQP_MANAGEMENT_URL": f"http://127.0.0.1:{management}/",
            "MOCKFORGE_TLS_CA": str(issued.ca),
        }

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdout=self._output,
            stderr=self._output,
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
        )
        for port in self._ports:
            wait_for_port(port, 150)

    def _control(self, *arguments: str) -> None:
        subprocess.run(
            [str(Path(_RABBITMQ).with_name("rabbitmqctl")), *arguments],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            check=True,
            timeout=90,
        )

    def end_connections(self, protocol: str) -> None:
        self._control("close_all_connections", "ended for a test")

    def restart(self, protocol: str) -> None:
        self._control("stop_app")
        self._control("start_app")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False)
        self._output.close()


_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"

PEERS: dict[str, Callable[[Path], Subject]] = {
    "kafka": Kafka,
    "mosquitto": Mosquitto,
    "rabbitmq": RabbitMQ,
}


def _program(usual: str) -> str:
    if not Path(usual).exists():
        raise Skipped(f"no {usual}")
    return usual


def _wait(fact: Callable[[], object], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + 60
    while not fact():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
