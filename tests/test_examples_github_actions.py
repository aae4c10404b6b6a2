"""The examples for GitHub, run as they are, while MLflow's own client promotes versions."""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import httpx
import pytest
from standardwebhooks import Webhook

from tests import stores
from tests.promoting import EXAMPLES, PATIENCE_S, Quiet, Registry, local, registry_in, running
from tests.workflow_runs import Repository

ACTIONS = EXAMPLES / "github-actions"


@pytest.fixture
def answering(templates, tmp_path):
    """A registry whose server is there."""
    with registry_in(templates, tmp_path) as registry, registry.answering():
        yield registry


@pytest.fixture
def repository(answering, tmp_path):
    """A repository with the workflow and its scripts; so far, it has run once."""
    for program in ("bash", "curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is missing: apt-get install {program}")
    made = Repository(ACTIONS / "promotions.yml", tmp_path / "actions", {"LINEAGE_API_URL": answering.url})
    shutil.copytree(ACTIONS, made.files / ".github")
    return made


def deployed(run):
    """The versions that a run says it deployed."""
    return [int(line.split()[3]) for line in run.said.splitlines()]


def test_the_workflow_is_one():
    """GitHub's schema of workflows agrees."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, ACTIONS / "promotions.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_deploys_each_promotion_once(answering, repository):
    """It begins with what happens after its first run; what was promoted between two runs is deployed in order."""
    assert deployed(repository.run()) == []
    promoted = answering.promote(2)

    run = repository.run()

    assert (run.succeeded, run.complained) == (True, "")
    assert deployed(run) == promoted
    assert run.said.splitlines()[0] == "Deploying flights version 2 from s3://models/1"
    assert deployed(repository.run()) == []
    assert list(repository.caches) == ["promotions-1-1", "promotions-2-1"]


def test_the_workflow_tries_again_what_failed(answering, repository):
    """What was deployed before is not deployed again, and nothing is left out."""
    repository.run()
    promoted = answering.promote(3)
    deploy = repository.files / ".github/deploy.sh"
    written = deploy.read_text()
    deploy.write_text(f"{written}[[ $MODEL_VERSION != {promoted[1]} ]]\n")
    for tried in (promoted[:2], promoted[1:2]):
        run = repository.run()
        assert (run.succeeded, deployed(run)) == (False, tried)

    deploy.write_text(written)

    assert deployed(repository.run()) == promoted[1:]


def test_the_workflow_takes_page_after_page(answering, repository):
    """However many promotions there are."""
    repository.run()
    promoted = answering.promote(45)

    assert deployed(repository.run()) == promoted


def test_the_workflow_runs_no_names(answering, repository):
    """Whatever a model is called, it is deployed under that name; nothing in it is run, nor set as a variable."""
    name = "$(touch ran); `touch ran`'\"\n${{ secrets.TOKEN }}\0PATH=nowhere"
    answering.store.registered_model(name)
    repository.run()
    (repository.files / ".github/deploy.sh").write_text('printf %s "$MODEL_NAME" >deployed')
    answering.promote(model=name)

    run = repository.run()

    assert (run.succeeded, run.said) == (True, "")
    assert (run.workspace / "deployed").read_text() == name.replace("\0", "")
    assert not (run.workspace / "ran").exists()


def test_the_workflow_begins_before_the_first_event(templates, tmp_path, repository):
    """Where nothing had ever happened, the first promotion is deployed; of models that were not named, none is."""
    (tmp_path / "empty").mkdir()
    with stores.filled("sqlite", templates, tmp_path / "empty") as store, Registry(store).answering() as empty:
        repository.variables |= {"LINEAGE_API_URL": empty.url, "LINEAGE_API_MODELS": '["flights"]'}
        assert repository.run().succeeded
        for model in ("other", "flights"):
            store.registered_model(model)
            empty.promote(model=model)

        assert repository.run().said == "Deploying flights version 1 from s3://models/1\n"


def test_the_workflow_says_why_it_was_refused(repository):
    """With its token, if it has one; nothing is deployed, and it goes on from where it was."""
    tokens = []

    class Refusing(Quiet, BaseHTTPRequestHandler):
        def do_POST(self):
            tokens.append(self.headers["authorization"])
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"errors": [{"message": "Nobody knows you."}]}')

    repository.run()
    with local(Refusing) as port:
        for token in ("", "t0ken"):
            repository.variables |= {"LINEAGE_API_URL": f"http://127.0.0.1:{port}/", "LINEAGE_API_TOKEN": token}
            run = repository.run()
            assert not run.succeeded
            assert "Nobody knows you." in run.complained

    assert tokens == [None, "Bearer t0ken"]
    assert list(repository.caches) == ["promotions-1-1"]


@pytest.fixture
def github():
    """A server in GitHub's place: what was dispatched to it, and its next answers."""
    made = SimpleNamespace(dispatched=[], answers=[])

    class Api(Quiet, BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.dispatched.append((self.path, self.headers["authorization"], body))
            self.send_response(made.answers.pop(0))
            self.end_headers()

    with local(Api) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
EVENT = json.dumps(
    {"type": "lineage_api.registry.stage_changed", "id": "event", "subject": "models/flights/versions/3"}
)
DISPATCH = {
    "event_type": "lineage_api.registry.stage_changed",
    "client_payload": {"id": "event", "subject": "models/flights/versions/3"},
}


@pytest.fixture
def receiver(github):
    """The receiver: its host and port."""
    given = {"WEBHOOK_SECRET": SECRET, "GITHUB_REPOSITORY": "acme/serving", "GITHUB_TOKEN": "token", "PORT": "0"}
    with running("github-actions/receiver.py", GITHUB_API_URL=github.url, **given) as process:
        yield process.stdout.readline().split("/")[2]


def received(receiver, id_, secret=SECRET, **headers):
    """The status of the answer to a message."""
    now = datetime.now(UTC)
    signed = {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, now, EVENT),
    }
    return httpx.post(f"http://{receiver}/", content=EVENT, headers=signed | headers, timeout=PATIENCE_S).status_code


def test_the_receiver_hands_on_a_message_once(github, receiver):
    """It is taken for good once GitHub has taken it; a double is taken, and goes no further."""
    github.answers += [500, 200, 204, 204]

    assert [received(receiver, "msg_1"), received(receiver, "msg_1")] == [502, 502]
    assert [received(receiver, "msg_1"), received(receiver, "msg_1"), received(receiver, "msg_2")] == [204, 204, 204]
    assert github.dispatched == [("/repos/acme/serving/dispatches", "Bearer token", DISPATCH)] * 4


@pytest.mark.parametrize(
    "headers",
    [
        {"secret": "whsec_YW5vdGhlcg=="},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1700000000"},
        {"webhook-signature": "nothing of the kind"},
        {"webhook-signature": "v1,=x"},
        {"webhook-signature": ""},
    ],
    ids=str,
)
def test_the_receiver_refuses_what_is_not_signed(github, receiver, headers):
    """Or signed with another secret, for another message, or a while ago."""
    assert received(receiver, "msg_1", **headers) == 401
    assert github.dispatched == []


@pytest.mark.parametrize("length", ["2000000", "-1", "many", ""])
def test_the_receiver_reads_no_long_messages(receiver, length):
    """Of a length that is too long, or none at all, it reads nothing."""
    with closing(HTTPConnection(receiver, timeout=PATIENCE_S)) as connection:
        connection.request("POST", "/", headers={"content-length": length})
        assert connection.getresponse().status == 413
