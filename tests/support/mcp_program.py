"""A small MCP server as a program. The first argument says how it misbehaves."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

BEHAVIOR = sys.argv[1] if len(sys.argv) > 1 else ""
INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "program", "version": "1"},
}


def call(name: str, arguments: dict[str, Any]) -> str:
    if name == "environment":
        return json.dumps(dict(os.environ))
    if name == "start":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return f"{os.getpid()} {child.pid}"
    if name == "exit":
        print("its last words", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "wait":
        time.sleep(60)
    if name == "huge":
        return "x" * int(arguments["size"])
    return "called"


def answer(request: dict[str, Any]) -> dict[str, Any]:
    match request["method"]:
        case "initialize":
            return {"result": INITIALIZED}
        case "tools/list":
            names = ("environment", "start", "exit", "huge", "wait")
            return {
                "result": {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in names]}
            }
        case "tools/call":
            text = call(request["params"]["name"], request["params"].get("arguments", {}))
            return {"result": {"content": [{"type": "text", "text": text}]}}
    return {"error": {"code": -32601, "message": "Method not found"}}


def main() -> None:
    if BEHAVIOR == "fail":
        sys.exit("\x1b[31mno such option\x1b[0m")
    if BEHAVIOR == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("a line of its log", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request and BEHAVIOR != "silent":
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"]} | answer(request)), flush=True)
    if BEHAVIOR == "stubborn":
        time.sleep(600)


if __name__ == "__main__":
    main()
