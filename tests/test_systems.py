"""How a system is described: what makes no sense is refused before anything starts, in one paragraph with the cure."""

import sys
import textwrap

import pytest

from workbench import Image, Stack, System, load_system
from workbench.errors import UnknownService, UsageError
from workbench.services import Place
from workbench.systems import placeholders
from workbench.systems.operations import KINDS, signature


def shop(**options):
    return System("shop", **({"command": "serve --port {port}"} | options))


@pytest.fixture
def place(tmp_path):
    urls = {"redis": "redis://:s%40cret@127.0.0.1:4711/3", "postgres": "postgresql://me:pw@127.0.0.1:4712/shop"}
    return Place("app", "127.0.0.1", 4713, tmp_path, tmp_path / "app.log", urls=urls)


@pytest.fixture
def write(tmp_path):
    """Writes a file that describes a system; the name of the test's own."""

    def write(text, name="shop.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    before = list(sys.path)
    yield write
    sys.path[:] = before


ONE = """
    from workbench import System
    system = System("shop", command="serve {port}")
"""


# --- placeholders


def test_placeholders_are_filled(place):
    system = System(
        "shop",
        command="{python} serve.py --listen {host}:{port} --data '{data}/my files'",
        env={
            "REDIS": "{redis.host}:{redis.port}/{redis.database} {redis.password}",
            "DATABASE": "{postgres.url}",
            "WHO": "{postgres.user}@{postgres.database}",
            "JSON": '{{"a": 1}}',
        },
    )
    command = system.as_service("app").command(place)
    assert command.argv == (
        sys.executable,
        "serve.py",
        "--listen",
        "127.0.0.1:4713",
        "--data",
        f"{place.data}/my files",
    )
    assert command.env["REDIS"] == "127.0.0.1:4711/3 s@cret"
    assert command.env["DATABASE"] == "postgresql://me:pw@127.0.0.1:4712/shop"
    assert command.env["WHO"] == "me@shop"
    assert command.env["JSON"] == '{"a": 1}'
    assert command.env["PYTHONUNBUFFERED"] == "1"
    assert system.uses == ("redis", "postgres")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": "serve {prot}"}, r"no placeholder {prot}, used in the command of shop; did you mean {port}\?"),
        ({"command": "serve {port} {redis}"}, r"no placeholder {redis}.* Of an entry redis it is {redis.url}"),
        ({"env": {"A": "{redis.urll}"}}, r"{redis.urll}, used in the variable A of shop; did you mean {redis.url}\?"),
        ({"env": {"A": "{}"}}, "no placeholder {}"),
        ({"env": {"A": "{port:5}"}}, "no placeholder {port:5}"),
        ({"env": {"A": '{"a": 1}'}}, "A brace that begins none is written twice"),
        ({"env": {"A": "{redis.url"}}, "braces in the variable A of shop do not match"),
        ({"env": {"A": "a}"}}, "braces in the variable A of shop do not match"),
        ({"listens": False, "ready": "log: x"}, "{port} makes no sense in the command of shop"),
        ({"before": "migrate {url}"}, "no placeholder {url}, used in the before of shop"),
    ],
)
def test_a_wrong_placeholder_is_refused(options, said):
    with pytest.raises(UsageError, match=said) as raised:
        shop(**options)
    assert "\n" not in str(raised.value)


def test_an_entry_without_an_address_stands_for_nothing():
    with pytest.raises(UsageError, match=r"{worker.url} stands for nothing here.* There are those of: redis"):
        placeholders.fill("{worker.url}", own={}, urls={"redis": "redis://a", "worker": ""})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, r'app \(shop\) uses redis, and there is no redis in this stack. Add it, Stack\("redis", app=…\)'),
        ({"redis_1": {"service": "redis"}}, r"no redis in this stack; did you mean 'redis_1'\?"),
    ],
)
def test_what_a_placeholder_names_has_to_be_in_the_stack(entries, said):
    with pytest.raises(UsageError, match=said):
        Stack(app=shop(env={"REDIS_URL": "{redis.url}"}), **entries)
    with pytest.raises(UsageError, match="uses mailer"):
        Stack(app=shop(also_uses=("mailer",)))
    with pytest.raises(UsageError, match="app uses itself: its own address is"):
        Stack(app=shop(env={"ME": "{app.url}"}))


# --- what it is


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": ""}, "exactly one of a command"),
        ({"url": "http://127.0.0.1"}, "exactly one of a command"),
        ({"command": "serve"}, "never told where to listen"),
        ({"command": "serve 'port"}, "cannot be split as a shell would"),
        ({"command": ["serve", 8000]}, "a text, or a list of texts"),
        ({"command": "", "image": "shop:latest"}, r'image is an Image\("shop:latest", port=8000\)'),
        ({"command": "", "image": Image("shop", 80), "before": "migrate"}, "before is for a command of your own"),
        ({"command": "", "image": Image("shop", 80), "env": {"A": "{data}"}}, "{data} makes no sense"),
        ({"command": "", "image": Image("shop", 80, ready="health")}, r'ready is a path \("/health"\)'),
        ({"command": "", "url": "http://127.0.0.1", "env": {"A": "b"}}, "runs at http://127.0.0.1 already"),
        ({"env": {"PORT": 1}}, "has a name and a text, .* of 'PORT' is of type int"),
        ({"env": ["PORT=1"]}, "env is a mapping"),
        ({"cwd": 3}, "cwd is a folder"),
        ({"ready": "health"}, r'ready is a path \("/health"\)'),
        ({"ready": 200}, "ready is a path"),
        ({"ready": "log: ("}, "no regular expression"),
        ({"ready": "log:"}, "does not say which"),
        ({"command": "work", "listens": False}, "a worker without a port is ready when its log says so"),
        ({"scales": 2}, "scales is True or False"),
        ({"limit_s": 0}, "limit_s is the seconds"),
        ({"also_uses": "redis"}, "names entries of the stack"),
        ({"also_uses": {1: None}}, "says what they are to be"),
        ({"version": 1.0}, "version is a text"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        shop(**options)


def test_a_name_is_a_word():
    with pytest.raises(UsageError, match="named by a word"):
        System("my shop", command="serve {port}")


def test_it_is_started_in_the_folder_of_its_file(write):
    path = write(ONE)
    assert load_system(path).as_service("app").cwd == str(path.parent)
    path = write('from workbench import System\nsystem = System("shop", command="serve {port}", cwd="sub")')
    with pytest.raises(UsageError, match=r"shop is started in .*/sub, which is no folder"):
        Stack(app=load_system(path))


def test_an_image_is_a_service_of_containers(place):
    image = Image("shop:latest", port=8000, env={"REDIS_URL": "{redis.url}"}, command=("--port", "{port}"))
    service = System("shop", image=image, env={"MORE": "1"}, ready="/health").as_service("app")
    made = service.image(place)
    assert (made.name, made.port, made.command) == ("shop:latest", 8000, ("--port", "8000"))
    assert made.env == {"REDIS_URL": place.urls["redis"], "MORE": "1"}
    assert (service.runtime, service.uses) == ("docker", ("redis",))
    with pytest.raises(UsageError, match="not started as a process"):
        service.command(place)
    with pytest.raises(UsageError, match="uses redis, and there is no redis"):
        Stack(app=image)


def test_a_url_is_a_service_that_runs_elsewhere():
    system = System("shop", url="http://127.0.0.1:1")
    assert system.as_service("app").runtime == "elsewhere"
    assert repr(system) == "shop: http://127.0.0.1:1; operations: none"


# --- operations


def test_operations_are_told_in_their_order():
    system = shop()

    @system.operation
    async def read(connection, key): ...

    @system.operation
    async def write(connection, key, value, more=None): ...

    assert system.operations == ("write", "read")
    assert system.function("read") is read
    assert repr(system).endswith("operations: write, read")
    with pytest.raises(UsageError, match="the operation read is there twice"):
        system.operation(read)


def operation(text):
    scope = {}
    exec(f"{text}: ...", scope)
    return next(value for name, value in scope.items() if not name.startswith("__"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("async def wirte(connection, key, value)", r"no operation 'wirte' .*; did you mean 'write'\?"),
        ("async def write(connection, key)", r"has the parameters \(connection, key\). Write async def write"),
        ("async def write(connection, key, value, unit)", "has the parameters"),
        ("async def write(connection, value, key)", "has the parameters"),
        ("async def write(connection, *, key, value)", "has the parameters"),
        ("def write(connection, key, value)", "is not async, and while it waits no other client"),
        ("async def classify(error)", "Write def classify.error., without async"),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        shop().operation(operation(text))
    with pytest.raises(UsageError, match="an operation is a function"):
        shop().operation("write")


@pytest.mark.parametrize("name", KINDS)
def test_what_a_message_says_to_write_can_be_written(name):
    assert shop().operation(operation(signature(name))).__name__ == name


def test_what_is_lacking_is_named_with_who_needs_it():
    system = shop()
    system.operation(operation("async def read(connection, key)"))
    with pytest.raises(
        UsageError, match=r"Writes need write of shop, which .*test_systems.py does not have; it has: read"
    ):
        system.require("write", "read", by="Writes")  # fmt: skip


# --- where it is


def test_a_system_is_found_by_its_file_and_by_its_module(write, tmp_path, monkeypatch):
    path = write(ONE)
    system = load_system(path)
    assert system is load_system(f"{path}:system") is load_system("shop.py", base=tmp_path) is load_system(system)
    assert system.where == f"{path}:system"
    write(ONE, "kits/of.py")
    assert load_system("kits.of", base=tmp_path).where == "kits.of:system"
    monkeypatch.chdir(tmp_path)
    assert load_system("kits/of.py:system").where == f"{tmp_path}/kits/of.py:system"


def test_a_file_that_has_changed_is_loaded_again(write):
    assert load_system(write(ONE)).name == "shop"
    assert load_system(write(ONE.replace("shop", "other shop".replace(" ", "-")))).name == "other-shop"


def test_what_stands_beside_it_can_be_imported_and_hides_no_library(write):
    write("COMMAND = 'serve {port}'", "helpers_of_the_shop.py")
    write("raise RuntimeError('taken for the library')", "redis.py")
    path = write(
        """
        import redis
        from helpers_of_the_shop import COMMAND
        from workbench import System
        system = System("shop", command=COMMAND)
        """
    )
    assert load_system(path).command == ("serve", "{port}")


@pytest.mark.parametrize(
    ("text", "attribute", "said"),
    [
        ("import json", "", "describes no system: it needs a line"),
        (ONE, "systm", r"'systm' in .*shop.py is not there; did you mean 'system'\? Its systems: system"),
        ("system = 3", "system", "'system' in .* is a int, no System"),
        (f"{ONE}    other = System('other', command='{{port}}')", "", "several systems, other, system. Say which"),
        ("import no_such_module", "", "ModuleNotFoundError: No module named 'no_such_module', in line 1: import"),
        ("a = 1\na +", "", "SyntaxError: invalid syntax, in line 2: a +"),
        ("def f():\n    return {}['x']\nf()", "", "KeyError: 'x', in line 2: return"),
        ("from . import helpers", "", "Name it as a module, package.module"),
        ("raise SystemExit(2)", "", "SystemExit: 2, in line 1"),
        ("from workbench import System\nSystem('shop')", "", "exactly one of a command"),
    ],
)  # fmt: skip
def test_a_file_that_describes_no_system_says_why(write, text, attribute, said):
    path = write(text)
    with pytest.raises(UsageError, match=said) as raised:
        load_system(f"{path}:{attribute}" if attribute else path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "named by its file"),
        (3, "named by its file"),
        ("shpo.py", r"no file .*/shpo.py that could describe a system; did you mean 'shop.py'\?"),
        ("no/such/folder.py", "There is no file"),
        ("no_such_module", "no module 'no_such_module' .* A file is named by its path, no_such_module.py"),
        ("json.no_such", "no module 'json.no_such'"),
    ],
)
def test_where_there_is_nothing_says_so(write, tmp_path, where, said):
    write(ONE)
    with pytest.raises(UsageError, match=said):
        load_system(where, base=tmp_path)


def test_a_service_that_is_not_there_is_still_told_by_its_name():
    with pytest.raises(UnknownService, match="did you mean 'redis'"):
        Stack("reddis", app=shop(env={"A": "{redis.url}"}))
