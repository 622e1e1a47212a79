"""Real servers on loopback that keep an archive, and that misbehave when told to.

Each has `base`, the address of its tree, and `log`, what was asked of it and how many bytes it sent.
"""

import contextlib
import html
import http.server
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import warnings
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, unquote

HOME_PAGE = b"<!DOCTYPE html><html><head><title>The archive</title></head><body>Welcome home</body></html>"


@dataclass
class Asked:
    """One request: `ok` when all that was asked for went out as it should."""

    method: str
    path: str
    start: int
    n_bytes: int = 0
    ok: bool = False

    @property
    def name(self):
        return self.path.rpartition("/")[2]


def rounded(n_bytes):
    """A size as Apache lists it."""
    if n_bytes < 973:
        return str(n_bytes)
    for unit in "KMG":
        n_bytes /= 1024
        if n_bytes < 9.95:
            return f"{n_bytes:.1f}{unit}"
        if n_bytes < 973:
            return f"{n_bytes:.0f}{unit}"
    raise ValueError


class WebArchive:
    """An HTTP server with Apache's listings of a folder.

    `faults` maps a file's or folder's name to a list of what goes wrong with its next GETs, one each:
    `drop` half way, `503`, `home` page with status 200, `longer` or `shorter` than its length says, `stall`,
    `wrong range` (another place than asked for), `lying range` (the place is said, other bytes are sent),
    `elsewhere` (a redirect to another host), `chunked` (no length), `404`, `trickle`. Followed by `*` it goes
    wrong always.
    """

    def __init__(self, root):
        self.root = Path(root)
        self.faults, self.log, self.extra_links = {}, [], {}
        self.pause_s = 0.0  # after each 32 kB
        self.exact_sizes = False
        self.guard = threading.Lock()
        self.leaving = threading.Event()
        self.n_open = self.most_open = 0
        archive = self

        class Handler(_WebHandler):
            pass

        Handler.archive = archive
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, address: None  # clients may leave when they like
        self.base = f"http://127.0.0.1:{self._server.server_port}/data/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self.leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self, name):
        with self.guard:
            waiting = self.faults.get(name)
            if not waiting:
                return None
            return waiting[0].removesuffix("*") if waiting[0].endswith("*") else waiting.pop(0)

    def fetched(self, name):
        """The GETs of a file that sent anything of it."""
        return [asked for asked in self.log if asked.method == "GET" and asked.name == name and asked.n_bytes]


class _WebHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive = None

    def log_message(self, *arguments):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.archive.guard:
            self.archive.n_open += 1
            self.archive.most_open = max(self.archive.most_open, self.archive.n_open)

    def finish(self):
        with self.archive.guard:
            self.archive.n_open -= 1
        with contextlib.suppress(OSError):
            super().finish()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(self.path.split("?")[0])
        asked = Asked(self.command, path, 0)
        self.archive.log.append(asked)
        steps = [step for step in path.split("/") if step]
        file = self.archive.root.joinpath(*steps[1:])
        fault = self.archive.fault(steps[-1]) if self.command == "GET" else None
        if fault == "503":
            self.answer(503, b"busy", {"Retry-After": "0"})
        elif fault == "404" or steps[0] != "data" or not file.exists():
            self.answer(404, b"not found")
        elif fault == "home":
            self.answer(200, HOME_PAGE, {"Content-Type": "text/html"})
        elif fault == "elsewhere":
            self.answer(302, b"", {"Location": "http://192.0.2.1/elsewhere"})
        elif file.is_dir():
            self.answer(200, self.listing(file, path), {"Content-Type": "text/html;charset=UTF-8"})
        else:
            self.send_file(file, asked, fault)

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def listing(self, folder, path):
        lines = [
            f"<html><head><title>Index of {path}</title></head><body><h1>Index of {path}</h1><pre>"
            '<a href="?C=N;O=D">Name</a>  <a href="?C=M;O=A">Last modified</a>  '
            '<a href="?C=S;O=A">Size</a><hr>',
            f'<a href="{quote(path.rstrip("/").rpartition("/")[0])}/">Parent Directory</a>   -',
        ]
        for file in sorted(folder.iterdir()):
            slash = "/" if file.is_dir() else ""
            link = quote(file.name) + slash
            n_bytes = 0 if slash else file.stat().st_size
            size = "-" if slash else str(n_bytes) if self.archive.exact_sizes else rounded(n_bytes)
            shown = html.escape(file.name[:20])
            lines.append(f'<a href="{html.escape(link)}">{shown}</a>  2014-03-10 06:01  {size:>5}')
        for link in self.archive.extra_links.get(folder.name, ()):
            lines.append(
                f'<a href="{html.escape(link)}">{html.escape(link[:20])}</a>  2014-03-10 06:01   12K'
            )
        lines.append(
            "<hr></pre><address>Apache Server at <a href='http://192.0.2.1/'>us</a></address></body></html>"
        )
        return "\n".join(lines).encode()

    def send_file(self, file, asked, fault):
        body = file.read_bytes()
        tag = f'"{len(body):x}-{file.stat().st_mtime_ns:x}"'
        total, status, headers = len(body), 200, {"ETag": tag, "Content-Type": "application/octet-stream"}
        headers["Last-Modified"] = formatdate(int(file.stat().st_mtime), usegmt=True)
        wanted = self.headers.get("Range", "")
        if wanted and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= total:
                self.answer(416, b"", {"Content-Range": f"bytes */{total}"})
                return
            asked.start, status = start, 206
            said = start + 7 if fault == "wrong range" else start
            headers["Content-Range"] = f"bytes {said}-{total - 1}/{total}"
            body = body[: total - start] if fault == "lying range" else body[start:]
        length = len(body) + (100 if fault == "longer" else 0)
        if fault == "shorter":
            body = body[: len(body) // 2]
            length = len(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "GET":
            return
        if fault == "chunked":
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            asked.n_bytes, asked.ok = len(body), True
            return
        stop = len(body) // 2 if fault in ("drop", "stall", "trickle") else len(body)
        for at in range(0, stop, 1 << 15):
            piece = body[at : min(stop, at + (1 << 15))]
            self.wfile.write(piece)
            asked.n_bytes += len(piece)
            if self.archive.pause_s:
                time.sleep(self.archive.pause_s)
        if fault == "trickle":
            while not self.archive.leaving.wait(0.1):
                self.wfile.write(body[asked.n_bytes : asked.n_bytes + 1])
                asked.n_bytes += 1
        if fault == "stall":
            self.archive.leaving.wait(20)
        if fault in ("drop", "stall", "longer"):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        asked.ok = fault is None


class FtpArchive:
    """An FTP server (pyftpdlib).

    `faults` maps a file's name to what goes wrong with its next transfers: `empty`, `drop` half way,
    `refuse` (550), `busy` (421), `stall` (nothing comes); with `unlisted` the next
    listing says that it is empty.
    """

    def __init__(self, root, with_mlsd=True, with_rest=True, most=256):
        with warnings.catch_warnings():
            # It is built on two modules that Python 3.11 announces the end of.
            warnings.filterwarnings("ignore", "The async(ore|hat) module", DeprecationWarning)
            from pyftpdlib.authorizers import DummyAuthorizer
            from pyftpdlib.filesystems import AbstractedFS
            from pyftpdlib.handlers import DTPHandler, FTPHandler
            from pyftpdlib.servers import FTPServer

        self.root, self.faults, self.log = Path(root), {}, []
        self.most_open = 0
        self.pause_s = 0.0  # before each 32 kB
        archive = self

        class Transfer(DTPHandler):
            ac_out_buffer_size = 1 << 15

            def send(self, data):
                if archive.pause_s:
                    time.sleep(archive.pause_s)
                return super().send(data)

        class Folder(AbstractedFS):
            def format_mlsx(self, basedir, listing, perms, facts, ignore_err=True):
                for line in super().format_mlsx(basedir, listing, perms, facts, ignore_err):
                    name = line.rstrip().rpartition(b" ")[2].decode()
                    if "unlisted" in archive.faults.get(name, ()):
                        archive.faults[name].remove("unlisted")
                        line = re.sub(rb"size=\d+", b"size=0", line)
                    yield line

        class Handler(FTPHandler):
            dtp_handler = Transfer
            abstracted_fs = Folder

            def log_transfer(self, cmd, filename, receive, completed, elapsed, bytes):
                name = Path(filename).name
                archive.log.append(Asked(cmd, name, archive.rest.pop(name, 0), bytes, completed))

            def on_connect(self):
                archive.most_open = max(archive.most_open, len(archive.server.ip_map))

            def log(self, *arguments, **settings):
                pass

            logline = logerror = log

            def ftp_LIST(self, path):  # noqa: N802 (pyftpdlib's name)
                archive.log.append(Asked("LIST", path, 0))
                return super().ftp_LIST(path)

            def ftp_MLSD(self, path):  # noqa: N802
                if not with_mlsd:
                    self.respond("500 Command MLSD not understood")
                    return None
                archive.log.append(Asked("MLSD", path, 0))
                return super().ftp_MLSD(path)

            def ftp_REST(self, line):  # noqa: N802
                if not with_rest:
                    self.respond("502 REST is not done here")
                    return None
                return super().ftp_REST(line)

            def ftp_RETR(self, path):  # noqa: N802
                waiting = archive.faults.get(Path(path).name)
                fault = None
                if waiting:
                    fault = waiting[0].removesuffix("*") if waiting[0].endswith("*") else waiting.pop(0)
                archive.rest[Path(path).name] = self._restart_position
                if fault == "refuse":
                    self.respond("550 No such file.")
                    return None
                if fault == "busy":
                    self.respond("421 Too many connections.")
                    self.close_when_done()
                    return None
                if fault == "stall":
                    self.respond("150 File status okay. About to open data connection.")
                    return None
                if fault in ("empty", "drop"):
                    body = b"" if fault == "empty" else Path(path).read_bytes()
                    short = archive.scratch(Path(path).name, body[: len(body) // 2])
                    return super().ftp_RETR(str(short))
                return super().ftp_RETR(path)

        self.rest = {}
        self._scratch = self.root.parent / "ftp-scratch"
        authorizer = DummyAuthorizer()
        authorizer.add_anonymous(str(self.root))
        Handler.authorizer = authorizer
        Handler.banner = "ready"
        Handler.use_sendfile = False
        self.server = FTPServer(("127.0.0.1", 0), Handler)
        self.server.max_cons = most
        self.base = f"ftp://127.0.0.1:{self.server.address[1]}/"
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def scratch(self, name, body):
        """A file outside the tree with other bytes under the same name."""
        self._scratch.mkdir(exist_ok=True)
        path = self._scratch / name
        path.write_bytes(body)
        return path

    def fetched(self, name):
        return [asked for asked in self.log if asked.method == "RETR" and asked.name == name]

    def _serve(self):
        while not self._leaving.is_set():
            self.server.ioloop.loop(timeout=0.02, blocking=False)

    def close(self):
        self._leaving.set()
        self._thread.join()
        self.server.close_all()


class RsyncArchive:
    """An rsync daemon that serves `root` as the module `data`."""

    def __init__(self, root, scratch, kilobytes_a_second=0):
        self.root = Path(root)
        scratch = Path(scratch)
        scratch.mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._log = scratch / "rsyncd.log"
        config = scratch / "rsyncd.conf"
        # Started by root it would serve as nobody, who cannot see a test's folders.
        user = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.geteuid() == 0 else ""
        config.write_text(
            f"{user}reverse lookup = no\nuse chroot = no\nlog file = {self._log}\n"
            "transfer logging = yes\nlog format = %o %b %f\n"
            f"[data]\n    path = {self.root}\n    read only = yes\n"
        )
        command = [shutil.which("rsync"), "--daemon", "--no-detach", f"--config={config}", f"--port={port}"]
        command += ["--address=127.0.0.1"] + (
            [f"--bwlimit={kilobytes_a_second}"] if kilobytes_a_second else []
        )
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.base = f"rsync://127.0.0.1:{port}/data/"
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError("the rsync daemon does not answer")

    @property
    def log(self):
        """What it sent: a file that was up to date at the receiver is not in it."""
        found = []
        for line in self._log.read_text().splitlines():
            words = line.split(" ", 5)  # date time [pid] send bytes path
            if len(words) == 6 and words[3] == "send":
                found.append(Asked("send", words[5], 0, int(words[4]), True))
        return found

    def fetched(self, name):
        return [asked for asked in self.log if asked.name == name]

    def close(self):
        self._process.kill()
        self._process.wait()


class FaultyLine:
    """A line to one of the servers that fails once: it stands still or breaks after so many bytes of answer.

    `base` is the server's address through it.
    """

    def __init__(self, base, fault, after_bytes):
        scheme, rest = base.split("://")
        host, slash, path = rest.partition("/")
        self._port = int(host.rpartition(":")[2])
        self.fault, self._after = fault, after_bytes
        self._leaving = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}{slash}{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source, target, is_answer):
        n_bytes = 0
        with source, target, contextlib.suppress(OSError):
            while piece := source.recv(1 << 13):
                n_bytes += len(piece)
                if is_answer and self.fault and n_bytes > self._after:
                    fault, self.fault = self.fault, None
                    if fault == "stall":
                        self._leaving.wait(20)
                    break
                target.sendall(piece)
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._leaving.set()
        self._listener.close()
