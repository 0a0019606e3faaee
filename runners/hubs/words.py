"""What to say when hubs and mirrors did not do what was asked, and what helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runners.hubs import NAMES, PROTOCOLS
from runners.hubs.endpoints import Endpoint
from runners.hubs.http import Failed
from runners.hubs.tokens import LOGINS
from schema.diagnostics import Diagnostic

GOES_ON = "a fetch goes on from where it was cut"


def title(endpoint: Endpoint) -> str:
    """`ModelScope (https://modelscope.cn)`."""
    return f"{'' if endpoint.own else 'the mirror of '}{NAMES[endpoint.hub]} ({endpoint.url})"


def missing(kind: str, what: str, asked: Sequence[Endpoint]) -> Diagnostic:
    """R0530: no hub has it."""
    message = f"there is no {kind} {what} on {' and '.join(map(title, asked))}"
    help = "look for a misprint in its id or revision; of a private one, the hubs say that to all who are not logged in"
    return Diagnostic("R0530", message, help)


def refused(kind: str, repo: str, endpoint: Endpoint, failed: Failed) -> Diagnostic:
    """R0531: a token or a licence is wanted. Nobody else is asked then."""
    name, login = NAMES[endpoint.hub], LOGINS[endpoint.hub]
    page = f"{endpoint.url}{PROTOCOLS[endpoint.hub].page_path(kind, repo)}"
    if not endpoint.own:
        message = (
            f"{title(endpoint)} does not give {repo} to everybody ({failed.detail}), and {name} itself gave nothing"
        )
        return Diagnostic(
            "R0531", message, f"{name} has to be reached, to say who may have it; a mirror is sent no token"
        )
    if failed.kind == "gated":
        known = f"with the account of {endpoint.token}" if endpoint.token else f"then {login}"
        help = f"visit {page} and ask for access or accept its licence {known}; then fetch again"
        return Diagnostic("R0531", f"{name} does not give {repo} to everybody (403)", help)
    if endpoint.token:
        message = f"{name} does not accept the token of {endpoint.token} for {repo} (401)"
        return Diagnostic("R0531", message, f"it may have expired: {login} anew; the page is {page}")
    return Diagnostic("R0531", f"{name} wants to know who asks for {repo} (401)", f"{login}; the page is {page}")


def unreachable(what: str, failures: Mapping[Endpoint, str]) -> Diagnostic:
    """R0532: nobody who has it can be reached."""
    told = "; ".join(f"{title(endpoint)} cannot be reached: {detail}" for endpoint, detail in failures.items())
    help = f"look at the network and at proxies, or name a mirror in machine.yaml under `mirrors:`; {GOES_ON}"
    return Diagnostic("R0532", f"{what} did not come: {told}", help)


def nobody(what: str, hubs: Sequence[str]) -> Diagnostic:
    """R0532: those who have it are not to be asked."""
    message = f"{what} is on {' and '.join(NAMES[hub] for hub in hubs)}, which this machine does not ask"
    return Diagnostic("R0532", message, "name the hub under `hubs:` in machine.yaml, or in RECIPE_HUBS")


def listing(kind: str, what: str, repo: str, endpoint: Endpoint, failed: Failed) -> Diagnostic:
    """R0533: what the hub says about a repository cannot be."""
    message = f"what {title(endpoint)} says about {what} is not to be trusted: {failed.detail}"
    page = f"{endpoint.url}{PROTOCOLS[endpoint.hub].page_path(kind, repo)}"
    return Diagnostic("R0533", message, f"look at {page}: has it files, and does the revision exist?")


def wrong(what: str, failures: Mapping[Endpoint, str]) -> Diagnostic:
    """R0533: nobody gives the bytes that are locked."""
    told = "; ".join(f"{title(endpoint)}: {detail}" for endpoint, detail in failures.items())
    help = (
        "fetch again later, or name another mirror; if the hub changed its files, `recipe lock --upgrade` moves the pin"
    )
    return Diagnostic("R0533", f"nobody gives {what} as it is locked. {told}", help)


def disk(what: str) -> Diagnostic:
    """R0538: the store cannot hold it."""
    message = f"{what} comes off the disk with other bytes than were written"
    return Diagnostic("R0538", message, "look after that disk; `recipe store verify` reads everything on it")


def of(kind: str, what: str, repo: str, endpoint: Endpoint, failed: Failed) -> Diagnostic:
    """What to say of one hub that was asked about a repository."""
    match failed.kind:
        case "missing":
            return missing(kind, what, [endpoint])
        case "login" | "gated":
            return refused(kind, repo, endpoint, failed)
        case "unreachable":
            return unreachable(what, {endpoint: failed.detail})
    return listing(kind, what, repo, endpoint, failed)
