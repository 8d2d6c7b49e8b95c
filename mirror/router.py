"""The mirror over HTTP, for auditors; whoever serves it says who is one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response, StreamingResponse

from core.errors import Malformed, Unavailable
from gateway.ledger.port import Ledger
from gateway.settings import Settings
from mirror import compare, find, prov, query, trace
from mirror.agreement import HEIGHTS_SHOWN, agreement
from mirror.authorisations import standing
from mirror.database import Database, DatabaseBroken, DatabaseUnavailable
from mirror.live import Live
from mirror.sight import Sight
from mirror.status import status_of

log = structlog.get_logger("mirror")
OWN_PARAMETERS = frozenset({"sort", "cursor", "limit", "as_of", "history", "fields", "total", "format"})
MOST_GIVEN = 64
Some = Annotated[list[str], Query(default_factory=list, max_length=MOST_GIVEN)]


class MirrorAway(Unavailable):
    """The mirror's database does not answer, or it has to be rebuilt; the server's log says which."""

    default_code = "mirror_unavailable"
    default_zh = "链上镜像的数据库暂时无法查询，请稍后重试；若一直如此，请管理员查看镜像日志。"
    default_en = "The mirror's database cannot be asked now. Try again later; if it lasts, an operator reads the mirror's log."


@contextmanager
def answering() -> Iterator[None]:
    """The database's errors as refusals."""
    try:
        yield
    except (DatabaseUnavailable, DatabaseBroken) as e:
        log.error("cannot answer", error=str(e))  # noqa: TRY400 - the message says what to do, a trace does not
        raise MirrorAway from e


class MirrorRoute(APIRoute):
    """A route whose database failures are refusals."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the database's errors translated."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            with answering():
                return await handle(request)

        return answered


def open_live(settings: Settings) -> Live:
    """The mirror these settings name, with the trees of its blocks."""
    database = Database(settings.mirror_database())
    database.prepare()
    return Live(database)


def router(
    live: Live, require_auditor: Callable[..., Any], sight: Callable[..., Sight], ledger: Ledger | None = None
) -> APIRouter:
    """Routes under ``/mirror``. ``require_auditor``: a FastAPI dependency that raises unless the caller is an auditor; ``sight``:
    one that says what the caller may see of the tables, and raises for whom that is nothing; ``ledger``: the server's own
    connection, for the lag. Answers HealthTrustError subclasses as errors; the server turns them into problem+json."""
    routes = APIRouter(prefix="/mirror", tags=["mirror"], dependencies=[Depends(require_auditor)], route_class=MirrorRoute)
    database = live.database

    @routes.get("/status")
    def status() -> dict[str, Any]:
        """Where the mirror stands, and how far behind the chain."""
        return status_of(database, ledger).json()

    @routes.get("/compare")
    def compare_digests(at: Annotated[list[str], Query(max_length=MOST_GIVEN)]) -> dict[str, Any]:
        """Does this mirror have the digests another one has: ``at=height:0x…``, repeated. Halving the range finds the first
        difference."""
        theirs = dict(_height_and_digest(text) for text in at)
        ours = {str(h): query.shown(compare.digest_at(database, h)) for h in theirs}
        first = compare.differing(database, theirs)
        return {"agree": first is None, "first_difference": first, "ours": ours}

    @routes.get("/authorisations")
    def authorisations(height: int | None = None) -> dict[str, Any]:
        """What is authorised as of a block, as one hash that does not depend on the ledger."""
        return standing(database, height).json()

    @routes.get("/agreement")
    def agreement_of_mirrors(heights: Annotated[int, Query(ge=1, le=200)] = HEIGHTS_SHOWN) -> dict[str, Any]:
        """Which organisations' mirrors agree at which of the newest heights that were spoken of, and where one says otherwise."""
        return agreement(live, heights).json()

    @routes.get("/trace/{identifier}")
    def trace_identifier(identifier: str, also: Some) -> dict[str, Any]:
        """The life of an identifier: events in order, and which led to which; ``also``: further identifiers for the same
        picture."""
        return trace.trace(database, identifier, also).json()

    @routes.get("/prov/{identifier}")
    def lineage(identifier: str, also: Some) -> dict[str, Any]:
        """The same life as W3C PROV-JSON."""
        return prov.document(trace.trace(database, identifier, also))

    @routes.get("/find/{hash}")
    def find_hash(hash: str) -> dict[str, Any]:
        """Where a hash stands: ledger, block, contract, organisation, and the row it is part of."""
        return find.answer(database, hash)

    both = APIRouter()
    both.include_router(routes)
    both.include_router(_tables(database, sight))
    return both


def _tables(database: Database, sight: Callable[..., Sight]) -> APIRouter:
    """The tables, for auditors and for the members' own people."""
    routes = APIRouter(prefix="/mirror", tags=["mirror"], route_class=MirrorRoute)

    @routes.get("/tables/{name}", response_model=None)
    def table(
        request: Request,
        name: str,
        sees: Sight = Depends(sight),  # noqa: B008 - an annotation could not name what this function was given
        sort: str = "",
        cursor: str = "",
        limit: int = 100,
        as_of: int | None = None,
        history: bool = False,
        fields: str = "",
        total: bool = False,
        format: Literal["json", "csv"] = "json",
    ) -> dict[str, Any] | StreamingResponse:
        """A page of a table; every other parameter is a filter: ``column``, ``column__from``, ``column__to``.

        ``fields``: columns, between commas. ``total``: with the number of rows of all pages. ``format=csv``: all rows at once."""
        filters = {k: v for k, v in request.query_params.items() if k not in OWN_PARAMETERS}
        asked = query.Question(name, filters, sort, as_of, history, tuple(f for f in fields.split(",") if f), sees)
        if format == "csv":
            named = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
            return StreamingResponse(query.csv(database, asked), media_type="text/csv; charset=utf-8", headers=named)
        page = query.page(database, asked, cursor or None, limit, total)
        counted = {"total": page.total} if total else {}
        return {"columns": page.columns, "rows": page.rows, "next": page.next, "height": page.height, **counted}

    return routes


def _height_and_digest(text: str) -> tuple[int, bytes]:
    height, _, digest = text.partition(":")
    try:
        return int(height), bytes.fromhex(digest.removeprefix("0x"))
    except ValueError as e:
        raise Malformed("value_malformed", detail="at is height:digest, the digest in hex") from e
