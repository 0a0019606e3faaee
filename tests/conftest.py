"""Options of the test suite, and examples that are the same in every run of it."""

from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.load_profile("steady")


def pytest_addoption(parser):
    parser.addoption("--renew", action="store_true", help="write the expected texts anew; look at the difference")


class ByParameter(LoadScopeScheduling):
    """Tests of one parameter stay in the process that made it; others go where there is room."""

    def _split_scope(self, nodeid):
        return nodeid.partition("[")[2] or nodeid


def pytest_xdist_make_scheduler(config, log):
    """For `--dist loadgroup`, whose groups are lost with this version of pytest."""
    return ByParameter(config, log) if config.getoption("dist") == "loadgroup" else None
