"""Options of the test suite, and examples that are the same in every run of it."""

from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.load_profile("steady")


def pytest_addoption(parser):
    parser.addoption("--renew", action="store_true", help="write the expected texts anew; look at the difference")
