"""A child process: the screen on its standard streams, and an echo server in the same loop.

Its first argument is where to write the server's port. Lines are answered with `line: answer`:
`echo` proves that the loop runs; the rest ask about the screen, or make it do something: `edit
EDITOR` has that editor edit the line.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.tui.shop import Shop
from mockforge_tui.tui.app import ConsoleApp, ended_by_signals
from mockforge_tui.tui.driver import SafeDriver

# Python 3.12 freezes some hundred objects of its own.
FROZEN_BEFORE = gc.get_freeze_count()
HOSTILE = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e\r\n[/b][@click=app.quit]bye[/]"


class Questions:
    def __init__(self, runtime: Shop, app: ConsoleApp) -> None:
        self.runtime = runtime
        self.app = app

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().strip():
            verb, *words = line.split()
            answer = getattr(self, f"do_{verb}")(*words)
            writer.write(f"{line}: {answer}\n".encode())
            await writer.drain()
        writer.close()

    def do_echo(self) -> str:
        return "here"

    def do_traffic(self) -> str:
        self.runtime.work(20)
        return "made"

    def do_paint(self) -> str:
        self.app.screen.refresh(layout=True)
        return "asked"

    def do_dropped(self) -> int:
        driver = self.app._driver
        assert isinstance(driver, SafeDriver)
        return driver.dropped

    def do_behind(self) -> bool:
        driver = self.app._driver
        assert isinstance(driver, SafeDriver)
        return driver._stale

    def do_frozen(self) -> bool:
        return gc.get_freeze_count() > FROZEN_BEFORE + 1000

    def do_factory(self) -> str:
        return str(asyncio.get_running_loop().get_task_factory())

    def do_edit(self, editor: str) -> str:
        os.environ["VISUAL"] = editor
        self.app.dashboard.prefill("pub mqtt:a/b x")
        self.app.dashboard.prompt.takes_key("ctrl+o")
        return "asked"

    def do_prompt(self) -> str:
        return self.app.dashboard.prompt.input.value

    def do_noted(self) -> str:
        entries = self.app.record.entries
        return entries[-1].text if entries else ""

    def do_hostile(self) -> str:
        traffic = self.runtime.traffic
        traffic.say(
            HOSTILE, op=HOSTILE, to=HOSTILE, key=HOSTILE, payload=HOSTILE,
            headers={HOSTILE: HOSTILE}, error=HOSTILE, detail={HOSTILE: HOSTILE, "text": HOSTILE},
        )  # fmt: skip
        self.app.note(HOSTILE)
        return "said"

    def do_select(self) -> str:
        self.app.dashboard.flow.move(-1)
        self.app.dashboard.inspector.next_tab(1)
        return "selected"

    def do_newest(self) -> int:
        return self.app.feed.newest

    def do_quit(self) -> str:
        self.app.exit(0)
        return "bye"


def _refused(loop: object, work: object, **_: object) -> None:
    raise TypeError("a task factory that uvloop cannot call")


async def main(ready: str) -> None:
    runtime = Shop()
    app = ConsoleApp(runtime, driver=SafeDriver)  # type: ignore[arg-type]
    # As Textual leaves the loop on Python 3.12 and later: with a factory of its own.
    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, work, **_: asyncio.Task(work, loop=loop))
    # What Textual sets there when it begins; uvloop calls it with an argument that it refuses.
    asyncio.eager_task_factory = _refused  # type: ignore[attr-defined, unused-ignore]
    server = await asyncio.start_server(Questions(runtime, app).serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def report() -> None:
        while not app.is_running or gc.get_freeze_count() <= FROZEN_BEFORE:
            await asyncio.sleep(0.01)
        Path(ready).write_text(f"{port}\n")

    parent = os.getppid()

    async def outlive_nobody() -> None:
        while os.getppid() == parent:
            await asyncio.sleep(1)
        # The test run was killed: nobody is there to end this.
        os._exit(1)

    watching = loop.create_task(outlive_nobody())
    reporting = loop.create_task(report())
    with ended_by_signals(app):
        await app.run_async()
    await reporting
    watching.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
