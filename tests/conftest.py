"""Options of the test suite."""


def pytest_addoption(parser):
    parser.addoption("--renew", action="store_true", help="write the expected texts anew; look at the difference")
