import judge
import pytest


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """One session for the whole suite: it costs more than most tests."""
    session = judge.open_session(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()
