"""Settings: each has a sentence, an option and a variable, and some have MLflow's variable too."""

import inspect
from dataclasses import fields

import click
import pytest

from lineage_api.cli.serving import serve
from lineage_api.config import Setting, Settings, every_setting

EACH = pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.name)
SAMPLES = {
    bool: ("true", True),
    str: ("postgresql://host/store", "postgresql://host/store"),
    int: ("7", 7),
    float: ("0.5", 0.5),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for setting in every_setting():
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)


def read(*arguments) -> Settings:
    """The settings that `serve` makes of its arguments and the environment."""
    return Settings(**serve.make_context("serve", list(arguments)).params)


def test_the_settings():
    """In the order of the class, with nothing left out."""
    assert [setting.name for setting in every_setting()] == [field.name for field in fields(Settings)]
    assert every_setting()[7] == Setting("port", int, 8000, "The port to listen on.", ("LINEAGE_API_PORT",))
    assert every_setting()[7].option == "--port"


@EACH
def test_each_is_explained(setting):
    """By a sentence of one line, which the command line shows."""
    assert setting.help[0].isupper()
    assert setting.help.endswith(".")
    assert "\n" not in setting.help
    [option] = [option for option in serve.params if option.name == setting.name]
    assert option.help == setting.help
    assert option.opts == [setting.option]


@EACH
def test_each_can_be_set_by_its_option(setting):
    """And nothing else is changed by that."""
    text, value = SAMPLES[setting.type]

    assert read(*option(setting, text)) == Settings(**{setting.name: value})


def option(setting, text):
    """An option with its value; a flag has none."""
    return [setting.option] if setting.type is bool else [setting.option, text]


@EACH
def test_each_can_be_set_by_its_variables(setting, monkeypatch):
    """The first of its variables counts, and an option more than all of them."""
    text, value = SAMPLES[setting.type]
    for variable in reversed(setting.variables):
        monkeypatch.setenv(variable, text)
        assert read() == Settings(**{setting.name: value})
        monkeypatch.setenv(variable, {bool: "no", str: "other", int: "8", float: "0.75"}[setting.type])

    assert read(*option(setting, text)) == Settings(**{setting.name: value})
    assert setting.variables[0] == f"LINEAGE_API_{setting.name.upper()}"


def test_nothing_is_set():
    """The defaults of the command line are those of the class."""
    assert read() == Settings()


@pytest.mark.filterwarnings("ignore::UserWarning")  # importing it brings some
def test_the_variables_of_mlflow_are_those_of_its_server():
    """Each is the one that MLflow's server reads for the option of the same name."""
    from mlflow.cli import server

    theirs = {option.name: option.envvar for option in server.params}
    ours = {setting.name: setting.variables[1] for setting in every_setting() if len(setting.variables) > 1}

    assert ours == {name: theirs[name] for name in ours}
    assert set(ours) == {
        "backend_store_uri",
        "read_replica_backend_store_uri",
        "registry_store_uri",
        "default_artifact_root",
        "artifacts_destination",
        "host",
        "allowed_hosts",
        "cors_allowed_origins",
    }


@pytest.mark.parametrize(("option", "value"), [("--port", "http"), ("--artifact-time-limit-s", "soon")])
def test_a_value_that_is_no_number(option, value):
    """It is refused with the option's name."""
    with pytest.raises(click.BadParameter, match="is not a valid"):
        read(option, value)


def test_settings_do_not_change():
    """They are read once, and compare by value."""
    assert Settings().__dataclass_params__.frozen
    assert Settings(port=1) == Settings(port=1) != Settings()
    assert inspect.signature(Settings).parameters["port"].default == 8000
