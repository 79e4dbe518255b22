"""A model server without a model: its port, and what it is to do. For the tests of workers.

A question that says "long" is answered without end, one that says "never" not at all; the others with three words.
"""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("fake: asked", self.path, flush=True)
        if "never" in asked:
            threading.Event().wait()
        if not self.path.endswith("/completions"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for number in range(10**9 if "long" in asked else 3):
                self.say({"content": f"word{number} "}, None)
                time.sleep(0.02)
            self.say({}, "stop")
        except OSError:
            return  # the client went away

    def say(self, delta, reason):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")

    def log_message(self, *_):
        pass


def main(port: int, what: str) -> None:
    print("fake: starting", os.environ.get("OMP_NUM_THREADS", ""), flush=True)
    if what == "fails":
        sys.exit("fake: no such model")
    if what == "silent":
        time.sleep(600)
    if what == "child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if what == "stubborn":
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(300 if what == "talkative" else 0):
        print("line", number, flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "serves")
