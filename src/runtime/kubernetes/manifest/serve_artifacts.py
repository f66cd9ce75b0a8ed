"""Serves the files that ServerApps left in a folder, read-only, on the loopback of a pod."""

import hashlib
import http.server
import json
import os
import signal
import stat
import sys
import threading
import time
import urllib.parse

ROOT, PORT, MOST = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DEEPEST = 32
NAMED = 20
LONGEST = 1024
MOST_NAMES = 1 << 20
CHUNK = 1 << 16
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def folder(parts):
    """Opens a folder below the root without following a link."""
    at = os.open(ROOT, FOLDER)
    try:
        for part in parts:
            inner = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
    except OSError:
        os.close(at)
        raise
    return at


def opened(parts):
    """Opens a regular file below the root."""
    at = folder(parts[:-1])
    try:
        file = os.fdopen(os.open(parts[-1], FILE, dir_fd=at), "rb")
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("not a regular file")
    return file


class TooMany(Exception):
    pass


class Listing:
    def __init__(self):
        self.files, self.left_out, self.more, self.seen, self.names = [], [], 0, 0, 0

    def leave_out(self, path, why):
        if len(self.left_out) < NAMED:
            self.left_out.append([ascii(path[:LONGEST])[1:-1], why])
        else:
            self.more += 1

    def entries(self, at):
        names = []
        with os.scandir(at) as found:
            for entry in found:
                self.seen += 1
                if self.seen > 10 * MOST:
                    raise TooMany
                names.append(entry.name)
        return sorted(names)

    def add(self, at, above, depth):
        for name in self.entries(at):
            path = above + name
            if len(path) > LONGEST:
                self.leave_out(path, "it is too long")
                continue
            self.names += len(path)
            if len(self.files) > MOST or self.names > MOST_NAMES:
                raise TooMany
            try:
                name.encode()
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    self.files.append([path, found.st_size])
                elif not stat.S_ISDIR(found.st_mode):
                    self.leave_out(path, "it is a link, a device or a pipe")
                elif depth >= DEEPEST:
                    self.leave_out(path, "it is too deep")
                else:
                    inner = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=at)
                    try:
                        self.add(inner, path + "/", depth + 1)
                    finally:
                        os.close(inner)
            except UnicodeError:
                self.leave_out(path, "its name is not valid UTF-8")
            except OSError as error:
                self.leave_out(path, error.strerror or "it cannot be read")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        run, path = query.get("run", ""), query.get("path", "")
        parts = [run, *path.split("/")] if path else [run]
        safe = all(part not in ("", ".", "..") and "\0" not in part for part in parts)
        if not (run.isascii() and run.isdigit() and safe):
            return self.reply(400, b"bad request")
        try:
            if url.path == "/list":
                self.list(parts)
            elif url.path == "/sha256":
                self.sha256(parts, int(query["size"]))
            elif url.path == "/file":
                self.file(parts, int(query.get("from", "0")))
            else:
                self.reply(404, b"no such resource")
        except FileNotFoundError:
            self.reply(404, b"no such file")
        except TooMany:
            self.reply(413, b"too many files")
        except (OSError, ValueError, KeyError) as error:
            self.close_connection = True
            self.reply(403, str(error).encode(errors="replace"))

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list(self, parts):
        at = folder(parts)
        listing = Listing()
        try:
            listing.add(at, "", 1)
        finally:
            os.close(at)
        found = {"files": listing.files, "left_out": listing.left_out, "more": listing.more}
        self.reply(200, json.dumps(found).encode())

    def sha256(self, parts, size):
        digest, left = hashlib.sha256(), size
        with opened(parts) as file:
            # It may have grown since it was listed.
            while chunk := file.read(min(CHUNK, left + 1)):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    break
        if left:
            return self.reply(409, b"the file has another size")
        self.reply(200, digest.hexdigest().encode())

    def file(self, parts, start):
        with opened(parts) as file:
            left = os.fstat(file.fileno()).st_size - start
            if not 0 <= start or left < 0:
                return self.reply(416, b"no such range")
            file.seek(start)
            self.send_response(200)
            self.send_header("Content-Length", str(left))
            self.end_headers()
            try:
                while left:
                    chunk = file.read(min(CHUNK, left))
                    if not chunk:
                        break
                    self.wfile.write(chunk)
                    left -= len(chunk)
            except OSError:
                pass
            if left:
                self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    places = threading.BoundedSemaphore(8)

    def process_request_thread(self, *request):
        with self.places:
            super().process_request_thread(*request)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    # An app that has taken the port must not stop the pod.
    try:
        Server(("127.0.0.1", PORT), Handler).serve_forever()
    except OSError as error:
        print(f"port {PORT}: {error}", file=sys.stderr, flush=True)
        time.sleep(5)
