"""A server that speaks as much of OpenAI's protocol as `runners.ask` needs: `python fake_server.py HOW --host … --port …`.

HOW: `answers`; `refuses` the question; `ends` at once; `hangs` and never listens; is `silent` when it is asked, or `dies`
then, or is `killed`; answers `nonsense`. Starts a helper that would outlive it,
and writes both pids and the question to files in the current folder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {"data": [{"id": "fake"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Path("asked.json").write_text(json.dumps(asked))
        if sys.argv[1] == "silent":
            time.sleep(600)
        if sys.argv[1] == "dies":
            os._exit(5)
        if sys.argv[1] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "nonsense":
            self.answer(200, {"text": "A cat."})
        elif sys.argv[1] == "refuses":
            self.answer(400, {"message": "no such model"})
        else:
            choice = {"message": {"content": "A cat."}, "finish_reason": "stop"}
            self.answer(200, {"choices": [choice], "usage": {"completion_tokens": 3}})

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


def main():
    how, place = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path("pids.json").write_text(json.dumps([os.getpid(), helper.pid]))
    if how == "ends":
        sys.exit(3)
    if how == "hangs":
        time.sleep(600)
    HTTPServer((place["--host"], int(place["--port"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
