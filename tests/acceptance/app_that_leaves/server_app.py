"""The ServerApp: trains nothing and leaves files, good ones or hostile ones."""

import hashlib
import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    mode = context.run_config["fail-in"]
    if mode == "nothing":
        return
    folder = Path(os.environ["FLOWER_ARTIFACTS_DIR"], str(context.run_id))
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "round 1.txt").write_text("one")
    with open(folder / "model.bin", "wb") as model:
        # One MiB for each round that was asked for.
        for number in range(context.run_config["num-server-rounds"]):
            model.write(hashlib.sha256(str(number).encode()).digest() * 32768)
    if mode == "hostile":
        hostile(folder)


def hostile(folder: Path) -> None:
    os.umask(0)
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.link(folder / "model.bin", folder / "main.tf")
    os.mkfifo(folder / "pipe")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]\nfsmonitor = false\n")
    (folder / "open").mkdir(mode=0o777)
    (folder / "open" / "file").touch(mode=0o666)
    (folder / "a\nb").touch()
    (folder / "..\\evil").touch()
    open(os.fsencode(folder) + b"/\xff", "w").close()
