"""Where an image comes from: it is pulled from a registry that has it, and a registry that does not answer is told."""

import gzip
import hashlib
import http.server
import io
import json
import socket
import tarfile
import threading
import time
from contextlib import contextmanager

import containers
import pytest

from workbench.errors import ProgramMissing
from workbench.runtimes.docker.engine import engine
from workbench.runtimes.docker.images import named, obtain, prefixed, variable

pytestmark = pytest.mark.docker


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tiny_image():
    """The parts of an image with one file: its layer, its configuration and its manifest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    layer = gzip.compress(packed.getvalue())
    described = {"architecture": "amd64", "os": "linux", "config": {"ExposedPorts": {"80/tcp": {}}}}
    described["rootfs"] = {"type": "layers", "diff_ids": [digest(packed.getvalue())]}
    config = json.dumps(described).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"

    def part(content, media):
        return {"mediaType": f"application/vnd.docker.{media}", "size": len(content), "digest": digest(content)}

    manifest = {"schemaVersion": 2, "mediaType": kind, "config": part(config, "container.image.v1+json")}
    manifest["layers"] = [part(layer, "image.rootfs.diff.tar.gzip")]
    return [layer, config], json.dumps(manifest).encode(), kind


@contextmanager
def registry():
    """One that has the tiny image and nothing else; its address."""
    blobs, manifest, kind = tiny_image()
    content = {f"/v2/tiny/blobs/{digest(blob)}": (blob, "application/octet-stream") for blob in blobs}
    content |= {f"/v2/tiny/manifests/{which}": (manifest, kind) for which in ("1", digest(manifest))}
    content["/v2/"] = (b"{}", "application/json")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body, media = content.get(self.path, (b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', "application/json"))
            self.send_response(200 if self.path in content else 404)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


def test_an_image_that_a_registry_has_is_pulled_and_told(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_PROGRESS", str(tmp_path / "progress"))
    with registry() as address:
        name = f"{address}/tiny:1"
        try:
            assert "80/tcp" in obtain(engine(), name, entry="app")["Config"]["ExposedPorts"]
        finally:
            containers.docker("image", "rm", name)
    events = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    assert events[0] == {"event": "service", "name": "app", "state": "starting", "program": f"pulling {name}"}
    assert any("Pull complete" in event.get("text", "") for event in events)


def test_an_image_that_a_registry_does_not_have():
    with registry() as address:
        with pytest.raises(ProgramMissing, match=rf"app: the image {address}/tiny:2 is not on this machine .* unknown"):
            obtain(engine(), f"{address}/tiny:2", entry="app")


def test_a_registry_that_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = "{}:{}".format(*deaf.getsockname())
        began = time.monotonic()
        with pytest.raises(ProgramMissing, match=r"its registry was silent for 2 s\. Bring it here"):
            obtain(engine(), f"{address}/tiny:1", entry="app")
        assert time.monotonic() - began < 5


def test_the_environment_names_images_by_entry_and_by_kind(monkeypatch):
    assert variable("my-store") == "WORKBENCH_MY_STORE_IMAGE"
    monkeypatch.setenv("WORKBENCH_REDIS_IMAGE", "by/kind:1")
    assert named("my-store", "redis") == "by/kind:1"
    monkeypatch.setenv("WORKBENCH_MY_STORE_IMAGE", "by/entry:1")
    assert named("my-store", "redis") == "by/entry:1"
    assert named("other") == ""


def test_the_registry_that_testcontainers_is_told_of_is_put_before_pinned_names(monkeypatch):
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setattr(testcontainers_config, "hub_image_name_prefix", "registry.local/mirror/")
    assert prefixed("redis:7.2") == "registry.local/mirror/redis:7.2"
