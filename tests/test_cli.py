"""The command line, in processes of its own."""

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from lineage_api.cli import main
from lineage_api.store.opening import head_revision
from tests.servers import environment, run, started
from tests.stores import Store

ROOT = Path(__file__).parents[1]
COMMAND = [str(Path(sys.executable).with_name("lineage-api"))]


class Running:
    """A server in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.said = []

    @property
    def address(self):
        """Where it says that it answers, without the path."""
        while not (found := re.search(r"GraphQL +(http://\S+)/graphql\n", "".join(self.said))):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.said.append(line)
        return found[1]

    def stop(self, by=signal.SIGTERM):
        """How it ended, and how many seconds that took."""
        start = time.monotonic()
        self.process.send_signal(by)
        return self.process.wait(20), time.monotonic() - start


@contextmanager
def serving(*arguments, command="serve", folder=None, **variables):
    """A server as anybody starts it, not forked as `started` ones are; on a free port, stopped in the end."""
    port = [] if "--port" in arguments else ["--port", "0"]
    process = subprocess.Popen(
        [*COMMAND, command, *port, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            process.kill()


def asked(address, query):
    """The data of an answer."""
    answer = httpx.post(f"{address}/graphql", json={"query": query}, timeout=30)
    assert answer.status_code == 200
    return answer.json()["data"]


@pytest.fixture
def uri(templates, tmp_path):
    """A store on SQLite."""
    return templates.copy("sqlite", tmp_path)


def refusal(*arguments, **more):
    """The line with which `serve` refuses a store."""
    code, said, complained = run("serve", "--port", "0", *arguments, **more)
    assert (code, said) == (2, "")
    [line] = complained.splitlines()
    return line.removeprefix("lineage-api: ")


def test_a_read_replica(uri, templates, tmp_path):
    """It is served from, also where MLflow's variable names it; one that is not there is refused at the start."""
    (tmp_path / "replica").mkdir()
    replica = Store(templates.copy("sqlite", tmp_path / "replica"), tmp_path)
    replica.experiment("of the replica")
    replica.close()
    with started("--backend-store-uri", uri, MLFLOW_READ_REPLICA_BACKEND_STORE_URI=replica.uri) as server:
        answer = asked(server.address, '{ experiment(name: "of the replica") { name } }')
    assert answer == {"experiment": {"name": "of the replica"}}

    line = refusal("--backend-store-uri", uri, "--read-replica-backend-store-uri", f"sqlite:///{tmp_path}/none.db")
    assert line == f"the read replica sqlite:///{tmp_path}/none.db cannot be opened: unable to open database file"


def test_help_is_there_at_once():
    """It names all commands, and nothing that takes long is imported for it."""
    code = (
        "import sys; from lineage_api.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({'mlflow', 'strawberry', 'graphql', 'sqlalchemy', 'starlette'} & {*sys.modules}))"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)

    assert time.monotonic() - start < 3
    assert done.stdout.endswith("[]\n")
    assert re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE) == sorted(main.commands)
    assert done.stderr == ""


def test_the_version():
    """That of the package."""
    assert run("--version") == (0, "lineage-api, version 0.1.0\n", "")


def test_an_option_that_there_is_not():
    """It is refused as click does, with the exit code 2."""
    code, said, complained = run("serve", "--colour")

    assert (code, said) == (2, "")
    assert complained.endswith("Error: No such option '--colour'.\n")


def test_the_schema():
    """The one that is committed, byte for byte; MLflow is not needed to print it."""
    done = subprocess.run([*COMMAND, "schema"], env=environment(), capture_output=True, check=True)

    assert done.stdout == (ROOT / "schema.graphql").read_bytes()
    assert done.stderr == b""


def test_a_store_is_served(uri):
    """It says where, without the password, and answers there."""
    with serving("--backend-store-uri", uri) as server:
        assert asked(server.address, "{ experiments { nodes { name } } }") == {
            "experiments": {"nodes": [{"name": "Default"}]}
        }
        assert httpx.get(f"{server.address}/readyz").text.splitlines()[0] == "ready"
        assert "".join(server.said) == (
            f"Store      {uri}\n"
            f"GraphiQL   {server.address}/graphql  (in a browser)\n"
            f"GraphQL    {server.address}/graphql\n"
        )
        server.stop()
        assert server.process.stderr.read() == ""


def test_a_new_store(tmp_path):
    """In an empty folder MLflow makes one, in a mode in which nobody waits for readers, and it is served."""
    with started(folder=tmp_path) as server:
        assert asked(server.address, "{ experiments { nodes { name artifactLocation } } }") == {
            "experiments": {"nodes": [{"name": "Default", "artifactLocation": "mlflow-artifacts:/0"}]}
        }
        server.stop()

    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_mlflows_variables(uri, tmp_path):
    """Whoever has told MLflow's server where its store is need not say it again; our own variable counts more."""
    variables = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/other.db", "LINEAGE_API_BACKEND_STORE_URI": uri}
    for name in variables:
        with started(folder=tmp_path, **variables | {name: uri}) as server:
            assert asked(server.address, "{ experiments { totalCount } }") == {"experiments": {"totalCount": 1}}
            assert server.said.startswith(f"Store      {uri}\n")

    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("host", ["localhost", "::1", "0.0.0.0"])
def test_another_address(uri, host):
    """A name, an address of IPv6, or all that there are."""
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("there is no IPv6 here")
    beyond = ["--insecure-no-auth"] if host == "0.0.0.0" else []
    with started("--backend-store-uri", uri, "--host", host, *beyond) as server:
        assert urlsplit(server.address).hostname == host
        assert httpx.get(f"{server.address}/healthz", trust_env=False).text == "ok"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(uri, by):
    """Within five seconds, also while somebody keeps a connection open, or is not done with a question."""
    with started("--backend-store-uri", uri) as server, httpx.Client() as idle:
        idle.get(f"{server.address}/healthz")
        address = urlsplit(server.address)
        with socket.create_connection((address.hostname, address.port)) as slow:
            slow.sendall(
                b"POST /graphql HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: 99\r\n\r\n{"
            )
            time.sleep(0.2)
            _, seconds = server.stop(by)
        assert seconds < 5


def test_a_port_that_is_taken(uri):
    """It is said in a line, with the address; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said, complained = run("serve", "--backend-store-uri", uri, "--port", str(port))

    assert (code, said) == (1, "")
    assert re.fullmatch(f"Error: No server can be at http://127.0.0.1:{port}: .*Address already in use.*\n", complained)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", "0"), ("192.0.2.1", "0"), ("127.0.0.1", "70000")])
def test_an_address_that_there_is_not(uri, host, port):
    """The same."""
    place = ("--host", host, "--port", port, "--insecure-no-auth")
    code, said, complained = run("serve", "--backend-store-uri", uri, *place)

    assert (code, said) == (1, "")
    assert re.fullmatch(rf"Error: No server can be at http://{host}:{port}: .+\n", complained)


@pytest.mark.parametrize(
    "store",
    ["http://localhost:5000", "https://mlflow.example", "./mlruns", "mlruns", "databricks", "mysql://host/store"],
)
def test_what_is_no_store(store, tmp_path):
    """A server, a folder or another database is refused, by its name and with what would be right."""
    line = refusal("--backend-store-uri", store, folder=tmp_path)

    assert store.removeprefix("./").partition("://host")[0] in line
    assert "sqlite:///" in line
    assert list(tmp_path.iterdir()) == []


def test_a_registry_elsewhere(uri):
    """Runs and registry are in one database, or nothing is served."""
    line = refusal("--backend-store-uri", uri, MLFLOW_REGISTRY_STORE_URI="sqlite:///other.db")

    assert "registry" in line
    assert "other.db" in line


def test_an_older_store(uri, tmp_path):
    """It is never upgraded: the line says how that is done."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    before = (tmp_path / "mlflow.db").read_bytes()

    line = refusal("--backend-store-uri", uri)

    assert "is at revision 451aebb31d03" in line
    assert f"expects {head_revision()}" in line
    assert line.endswith(f"run `mlflow db upgrade {uri}`")
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_workspaces(uri, tmp_path):
    """They are not supported, whether they are only switched on or used."""
    assert "MLFLOW_ENABLE_WORKSPACES" in refusal("--backend-store-uri", uri, MLFLOW_ENABLE_WORKSPACES="true")

    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE experiments SET workspace = 'team'")
    assert "workspaces ('team')" in refusal("--backend-store-uri", uri)


def test_a_password_is_not_shown():
    """Not even in the refusal of a database that cannot be reached."""
    line = refusal("--backend-store-uri", "postgresql://me:s3cret@127.0.0.1:1/store")

    assert "postgresql://me:***@127.0.0.1:1/store cannot be opened" in line
    assert "s3cret" not in line


def test_a_server_that_is_ready(uri):
    """The check of its health goes to it directly, whatever proxy there is for other addresses."""
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    with started("--backend-store-uri", uri) as server:
        address = server.address
        told = httpx.get(f"{address}/readyz").text
        assert re.fullmatch("ready\nmodel files: .+", told)
        assert run("healthcheck", "--url", address, **proxy) == (0, f"{told}\n", "")
        assert run("healthcheck", LINEAGE_API_URL=address) == (0, f"{told}\n", "")

        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = 'another'")
        assert run("healthcheck", "--url", address) == (
            1,
            "",
            f"{address} is not ready: HTTP Error 503: Service Unavailable\n",
        )


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://no.such.host.invalid"])
def test_a_server_that_is_not_there(url):
    """The exit code is 1, and a line says why."""
    code, said, complained = run("healthcheck", "--url", url)

    assert (code, said) == (1, "")
    assert re.fullmatch(rf"{re.escape(url)} is not ready: .+\n", complained)


def test_a_server_that_is_none():
    """What answers, but not in HTTP, is not ready either."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        check = subprocess.Popen(
            [*COMMAND, "healthcheck", "--url", url], env=environment(), stderr=subprocess.PIPE, text=True
        )
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 mail.example ESMTP\r\n")
        _, complained = check.communicate(timeout=20)

    assert check.returncode == 1
    assert re.fullmatch(rf"{url} is not ready: .+\n", complained)


def test_the_demo(tmp_path):
    """It makes a project, asks what is wrong in Production, and serves it; what it prints can be asked again there."""
    folder = tmp_path / "demo"
    with started("--folder", str(folder), command="demo") as server:
        address, said = server.address, server.said
        query = re.search(r"^\{\n.*?^\}$", said, re.MULTILINE | re.DOTALL)[0]
        assert "making a project in" in said
        assert asked(address, query)["registeredModel"]["rollbackPlan"]["target"]
        server.stop()

    with started("--folder", str(folder), command="demo") as again:
        assert asked(again.address, query)["registeredModel"]["rollbackPlan"]["target"]
        assert "making a project in" not in again.said

    assert refused_demo(folder, "--name", "other") == (2, "")


def refused_demo(folder, *arguments):
    """How the demo ends in a folder that it does not fit."""
    code, said, _ = run("demo", "--folder", str(folder), "--port", "0", *arguments)
    return code, said
