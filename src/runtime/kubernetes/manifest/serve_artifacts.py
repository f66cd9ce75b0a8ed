"""Serves the files that ServerApps left in a folder, read-only, on the loopback of a pod."""

import hashlib
import http.server
import json
import os
import signal
import stat
import sys
import urllib.parse

ROOT, PORT, MOST = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DEEPEST = 32
NAMED = 20
CHUNK = 1 << 18
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


class Listing:
    def __init__(self):
        self.files, self.left_out, self.seen = [], [], 0

    def leave_out(self, path, why):
        if len(self.left_out) < NAMED:
            self.left_out.append([ascii(path)[1:-1], why])

    def add(self, at, above, depth):
        for name in sorted(os.listdir(at)):
            self.seen += 1
            if len(self.files) > MOST or self.seen > 10 * MOST:
                return
            path = above + name
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
    timeout = 300

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
                self.sha256(parts)
            elif url.path == "/file":
                self.file(parts, int(query.get("from", "0")))
            else:
                self.reply(404, b"no such resource")
        except FileNotFoundError:
            self.reply(404, b"no such file")
        except (OSError, ValueError) as error:
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
        self.reply(200, json.dumps({"files": listing.files, "left_out": listing.left_out}).encode())

    def sha256(self, parts):
        digest = hashlib.sha256()
        with opened(parts) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
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


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(("127.0.0.1", PORT), Handler).serve_forever()
