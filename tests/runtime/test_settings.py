"""Settings: read from the environment, refused with the variable's name, secrets kept to themselves."""

from pathlib import Path

import pytest

from services.runtime.settings import Environment, InvalidSettings, Secret, Settings, env_example

DEPLOYED = {
    "STAR_ENVIRONMENT": "deployed",
    "STAR_MONGO_URL": "mongodb://user:hunter2@db/",
    "STAR_AMQP_URL": "amqp://user:hunter2@bus/",
    "STAR_S3_URL": "http://files:9000",
    "STAR_S3_ACCESS_KEY": "key",
    "STAR_S3_SECRET_KEY": "hunter2",
}


def test_what_is_not_set_has_a_default() -> None:
    settings = Settings.from_environment({})
    assert settings.environment is Environment.EMBEDDED
    assert settings.data_folder == Path("data")


def test_values_are_read_by_type() -> None:
    settings = Settings.from_environment({**DEPLOYED, "STAR_PORT": "9001", "STAR_LEASE_S": "2.5", "STAR_COUNTRY": "JO"})
    assert (settings.port, settings.lease_s, settings.country) == (9001, 2.5, "JO")


def test_a_secret_never_shows() -> None:
    settings = Settings.from_environment(DEPLOYED)
    assert "hunter2" not in repr(settings)
    assert settings.mongo_url == Secret("mongodb://user:hunter2@db/")


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"STAR_PORT": "many"}, "STAR_PORT"),
        ({"STAR_ENVIRONMENT": "cloud"}, "STAR_ENVIRONMENT"),
        ({"STAR_COUNTRY": "Jordan"}, "STAR_COUNTRY"),
        ({"STAR_TIME_ZONE": "Asia/Aman"}, "STAR_TIME_ZONE"),
        ({"STAR_TIME_ZONE": "../etc/passwd"}, "STAR_TIME_ZONE"),
        ({"STAR_TIME_ZONE": "Asia"}, "STAR_TIME_ZONE"),
        ({"STAR_LOG_LEVEL": "LOUD"}, "STAR_LOG_LEVEL"),
        ({"STAR_TRACE_RATIO": "10"}, "STAR_TRACE_RATIO"),
        ({"STAR_LEASE_S": "0"}, "STAR_LEASE_S"),
        ({"STAR_OUTBOX_SCAN_S": "nan"}, "STAR_OUTBOX_SCAN_S"),
    ],
)
def test_what_is_wrong_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        Settings.from_environment(environ)


def test_what_a_process_needs_is_demanded_by_name() -> None:
    with pytest.raises(InvalidSettings, match="STAR_MONGO_URL, STAR_AMQP_URL"):
        Settings.from_environment({"STAR_S3_URL": "http://files"}).demand("mongo_url", "s3_url", "amqp_url")


def test_the_example_names_every_setting_and_no_secret() -> None:
    text = env_example()
    for name in Settings.__struct_fields__:
        assert f"STAR_{name.upper()}=" in text
