"""A model server without a model: `--port N` and what it is to do. For the tests of workers."""

import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

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
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "serves")
