# SPDX-License-Identifier: BSD-3-Clause
"""Many clients in one process: run in a namespace, told by standard input, answers in JSON lines.

Usage: python -m tests.agent.crowd FILE...
Commands: "connect" (all), "stop N" (the first N agents), "status", "end".
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from nexusnet.agent.agent import Agent
from nexusnet.agent.config import load_config
from nexusnet.agent.peers import Peer, PeerState
from nexusnet.agent.plane import PlaneHost, choose_plane


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Crowd:
    """The agents, on one data plane."""

    def __init__(self, files: list[Path]) -> None:
        configs = [load_config(file) for file in files]
        self.planes = PlaneHost(choose_plane(configs[0]))
        self.planes.start()
        self.agents = [Agent(config, shared_planes=self.planes) for config in configs]
        self.tasks = [asyncio.create_task(agent.run()) for agent in self.agents]

    @property
    def peers(self) -> list[Peer]:
        """The server as each client sees it."""
        return [agent.peers["server"] for agent in self.agents]

    async def ready(self) -> None:
        """Return once all agents wait to be told to connect."""
        for agent, task in zip(self.agents, self.tasks, strict=True):
            ready = asyncio.create_task(agent.ready.wait())
            await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        say(ready=len(self.agents))

    async def connect(self) -> None:
        """Let all connect at once; return when the last one is up."""
        begin = asyncio.get_running_loop().time()
        for peer in self.peers:
            peer.enable()
        for peer in self.peers:
            while peer.state is not PeerState.UP:
                await peer.wait_changed()
        say(up=len(self.peers), seconds=asyncio.get_running_loop().time() - begin)

    async def stop(self, number: int) -> None:
        """End the first agents."""
        for agent in self.agents[:number]:
            agent.stop()
        await asyncio.gather(*self.tasks[:number])
        say(stopped=number)

    def status(self) -> None:
        """Tell how each one is."""
        say(
            states=[peer.state.value for peer in self.peers],
            connects=[peer.connects for peer in self.peers],
        )


async def main(files: list[Path]) -> None:
    crowd = Crowd(files)
    await crowd.ready()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while words := (await reader.readline()).decode().split():
        match words:
            case ["connect"]:
                await crowd.connect()
            case ["stop", number]:
                await crowd.stop(int(number))
            case ["status"]:
                crowd.status()
            case _:
                break
    await crowd.stop(len(crowd.agents))
    crowd.planes.close()


if __name__ == "__main__":
    asyncio.run(main([Path(name) for name in sys.argv[1:]]))
