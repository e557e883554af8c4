"""The deployment of one country: compose, image, realm and collector say what the code says.

No container engine is needed: the files are read. What was tried with the real parts is listed in RUNNING.md.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from uvicorn.middleware.proxy_headers import _TrustedHosts

import contracts
from contracts.catalogue import SERVICES
from contracts.identity import ASSIGNABLE, Role
from gateway.oidc import _spoken_for
from services.runtime.settings import Secret, Settings, env_example

ROOT = Path(contracts.__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PROCESSES = (*SERVICES, "gateway")
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
REALM = json.loads((DEPLOY / "keycloak" / "realm.json").read_text("utf-8"))
SETTINGS = {f"STAR_{name.upper()}" for name in Settings.__struct_fields__}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

EVERY_PART = pytest.mark.parametrize("part", PARTS)
EVERY_PROCESS = pytest.mark.parametrize("process", PROCESSES)
ENDURING_PARTS = pytest.mark.parametrize("part", [name for name in PARTS if not name.endswith("-setup")])


def variables(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def interpolated(text: str) -> Iterator[tuple[str, str]]:
    """Each ``${NAME...}`` with what follows the name; ``$$`` is a dollar for the container."""
    for found in re.finditer(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", text):
        yield found[1], found[2]


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration), duration
    return int(duration.removesuffix("s"))


@EVERY_PROCESS
def test_each_process_is_the_one_image_with_the_command_of_its_module(process: str) -> None:
    module = "gateway" if process == "gateway" else f"services.{process}"
    assert PARTS[process]["command"] == ["python", "-m", module]
    assert PARTS[process]["image"] == f"star:{VERSION}"
    assert (ROOT / module.replace(".", "/") / "__main__.py").is_file()


def test_every_setting_that_compose_gives_exists() -> None:
    given = set(re.findall(r"\bSTAR_[A-Z0-9_]+\b", COMPOSE_TEXT))
    assert given <= SETTINGS
    assert {name for name in given if not re.search(rf"^\s+{name}:", COMPOSE_TEXT, re.MULTILINE)} <= {"STAR_GRACE_S"}


@EVERY_PROCESS
def test_each_process_reads_the_settings_of_the_country(process: str) -> None:
    assert PARTS[process]["env_file"] == ["country.env"]
    assert PARTS[process]["environment"]["STAR_ENVIRONMENT"] == "deployed"


def test_only_the_gateway_holds_the_signing_key() -> None:
    keys = {process: PARTS[process]["environment"]["STAR_SIGNING_KEY"] for process in PROCESSES}
    assert keys.pop("gateway").startswith("${STAR_SIGNING_KEY:?")
    assert set(keys.values()) == {""}
    assert all(PARTS[process]["environment"]["STAR_VERIFY_KEY"] for process in PROCESSES)
    others = {name for part in set(PARTS) - set(PROCESSES) for name in PARTS[part].get("environment", {})}
    assert not [name for name in others if name.startswith("STAR_")]


def test_the_gateway_is_told_where_every_service_listens() -> None:
    environment = PARTS["gateway"]["environment"]
    for service in SERVICES:
        assert environment[f"STAR_{service.upper()}_URL"] == f"http://{service}:{environment['STAR_PORT']}"


def test_the_gateway_believes_a_proxy_on_this_machine_and_nobody_outside() -> None:
    allowed = variables(DEPLOY / "compose.env.example")["FORWARDED_ALLOW_IPS"]
    assert PARTS["gateway"]["environment"]["FORWARDED_ALLOW_IPS"] == f"${{FORWARDED_ALLOW_IPS:-{allowed}}}"
    proxies = _TrustedHosts(allowed)
    assert "172.18.0.1" in proxies, "as Docker's networks begin"
    assert "203.0.113.7" not in proxies


def test_no_secret_has_a_default_that_would_work() -> None:
    secret = re.compile(r"PASSWORD|KEY$|SECRET")
    for name, rest in interpolated(COMPOSE_TEXT):
        if secret.search(name):
            assert rest.startswith(":?"), f"${{{name}}} must stop the start when it is empty"
    examples = {**variables(DEPLOY / "compose.env.example"), **_generated_settings()}
    secrets = {f"STAR_{name.upper()}" for name, hint in Settings.__annotations__.items() if Secret in _parts(hint)}
    for name, value in examples.items():
        if secret.search(name) or name in secrets:
            assert value == "", name


def _generated_settings() -> dict[str, str]:
    return dict(line.split("=", 1) for line in env_example().splitlines() if line and not line.startswith("#"))


def _parts(hint: Any) -> tuple[Any, ...]:
    return (hint.__origin__,)


def test_every_variable_of_compose_is_in_an_example_and_the_other_way_round() -> None:
    used = {name for name, _ in interpolated(COMPOSE_TEXT)}
    offered = set(variables(DEPLOY / "compose.env.example"))
    assert used - SETTINGS == offered
    assert not offered & SETTINGS


@EVERY_PART
def test_what_a_part_waits_for_exists_and_can_tell_that_it_is_ready(part: str) -> None:
    for name, wait in PARTS[part].get("depends_on", {}).items():
        assert name in PARTS
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in PARTS[name]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert PARTS[name]["restart"] == "no"


@EVERY_PROCESS
def test_a_process_starts_after_its_stores_and_the_gateway_last(process: str) -> None:
    stores = {"mongo-setup", "minio-setup", "rabbitmq"}
    expected = {*SERVICES, "keycloak"} if process == "gateway" else stores
    assert set(PARTS[process]["depends_on"]) == expected


@EVERY_PART
def test_only_the_gateway_and_keycloak_are_published_and_only_on_loopback(part: str) -> None:
    ports = PARTS[part].get("ports", [])
    assert bool(ports) == (part in {"gateway", "keycloak"})
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "network_mode" not in PARTS[part]
    assert ("edge" in PARTS[part]["networks"]) == bool(ports)


def test_what_is_not_published_has_no_way_out_either() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    ways_out = {part for part in PARTS if "outside" in PARTS[part]["networks"]}
    assert ways_out == {"access"}, "webhooks go out from access, and nothing else does"


@EVERY_PART
def test_every_image_is_pinned_by_plain_name_and_version(part: str) -> None:
    name, _, tag = PARTS[part]["image"].partition(":")
    assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag)
    assert "." not in name.split("/")[0], "a registry host is the country's choice"


@ENDURING_PARTS
def test_every_part_comes_back_after_a_crash_and_has_limits(part: str) -> None:
    assert PARTS[part]["restart"] == "unless-stopped"
    limits = PARTS[part]["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert PARTS[part]["logging"]["options"]["max-size"]


@EVERY_PROCESS
def test_a_process_can_change_nothing_of_what_it_runs(process: str) -> None:
    assert PARTS[process]["read_only"] is True
    assert PARTS[process]["cap_drop"] == ["ALL"]
    assert re.search(r"^USER (?!0|root)\d+", DOCKERFILE, re.MULTILINE)


@EVERY_PROCESS
def test_a_process_has_time_to_finish_and_is_asked_whether_it_is_ready(process: str) -> None:
    assert seconds(PARTS[process]["stop_grace_period"]) >= 3 * Settings().grace_s
    assert "/health/ready" in PARTS[process]["healthcheck"]["test"][-1]
    assert PARTS[process]["healthcheck"]["test"][:2] == ["CMD", "python"]


def test_the_image_is_python_3_11_and_holds_what_the_lock_names() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.11-slim-bookworm"] * 2
    assert "RUN python deploy/bootstrap.py" in DOCKERFILE
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert copied - {"deploy/bootstrap.py"} == allowed
    assert all((ROOT / path).exists() for path in copied)


def test_what_compose_mounts_exists() -> None:
    for part in PARTS.values():
        for mount in part.get("volumes", []):
            source = mount.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]


def test_the_file_of_the_country_is_empty() -> None:
    assert yaml.safe_load((DEPLOY / "compose.country.yaml").read_text("utf-8")) == {"services": {}}


def test_the_realm_knows_the_roles_of_star_and_no_other() -> None:
    assert {role["name"] for role in REALM["roles"]["client"]["star"]} == set(ASSIGNABLE)


@pytest.mark.parametrize("party", ["f1", "buyer:b1", "buyer_provisioner:8e03978e-40d5-43dd-bc93-6894a57f9324"])
def test_the_realm_lets_a_person_speak_for_every_party_that_the_gateway_knows(party: str) -> None:
    (profile,) = REALM["components"]["org.keycloak.userprofile.UserProfileProvider"]
    (attributes,) = profile["config"]["kc.user.profile.config"]
    (about,) = [each for each in json.loads(attributes)["attributes"] if each["name"] == "star_party"]
    assert about["multivalued"]
    assert re.fullmatch(about["validations"]["pattern"]["pattern"], party)
    assert len(party) <= about["validations"]["length"]["max"]
    assert _spoken_for([party, "f2"], frozenset(Role)).keys() == {party.rpartition(":")[2], "f2"}


def test_the_realm_puts_roles_party_and_audience_into_the_token() -> None:
    (web,) = (client for client in REALM["clients"] if client["clientId"] == "star-web")
    mappers = {mapper["config"].get("claim.name", "aud"): mapper for mapper in web["protocolMappers"]}
    assert set(mappers) == {"aud", "star_roles", "star_party"}
    assert mappers["aud"]["config"]["included.client.audience"] == Settings().oidc_audience
    assert mappers["star_roles"]["config"]["usermodel.clientRoleMapping.clientId"] == "star"


def test_nobody_chooses_the_party_they_speak_for() -> None:
    (profile,) = REALM["components"]["org.keycloak.userprofile.UserProfileProvider"]
    attributes = {a["name"]: a for a in json.loads(profile["config"]["kc.user.profile.config"][0])["attributes"]}
    assert attributes["star_party"]["permissions"] == {"view": ["admin"], "edit": ["admin"]}


def test_nobody_chooses_the_name_by_which_a_buyer_knows_its_staff() -> None:
    assert PARTS["gateway"]["environment"]["STAR_MEMBER_CLAIM"] == "preferred_username"
    assert REALM["editUsernameAllowed"] is False
    assert REALM["registrationAllowed"] is False


def test_the_example_users_exist_only_where_somebody_switched_them_on() -> None:
    assert PARTS["keycloak"]["environment"]["DEVELOPMENT_USERS"] == "${DEVELOPMENT_USERS:-false}"
    people = set(ASSIGNABLE) - {Role.BUYER_PROVISIONER}  # a directory is a client, not a user
    assert {role for user in REALM["users"] for role in user["clientRoles"]["star"]} == people
    for user in REALM["users"]:
        assert user["enabled"] == "${DEVELOPMENT_USERS:false}"
        assert [secret["value"] for secret in user["credentials"]] == ["${DEVELOPMENT_PASSWORD}"]
    for client in REALM["clients"]:
        assert client.get("directAccessGrantsEnabled", False) in {False, "${DEVELOPMENT_USERS:false}"}


def test_the_collector_uses_only_what_it_defines_and_listens_where_star_sends() -> None:
    config = yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text("utf-8"))
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind])
    port = config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert PARTS["gateway"]["environment"]["STAR_OTLP_URL"] == f"http://otel-collector:{port}"
    assert config["exporters"]["otlp"]["endpoint"].partition(":")[0] in PARTS
