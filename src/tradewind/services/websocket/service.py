"""The service as one running whole: the server, and what feeds its streams."""

import asyncio

from tradewind.ports.market_data import MarketDataSubscriber
from tradewind.services.websocket.market_hub import MarketHub
from tradewind.services.websocket.operations_pages import OperationsPages
from tradewind.services.websocket.order_updates import OrderUpdateFollower
from tradewind.services.websocket.server import StreamServer


class WebSocketService:
    """Serves until told to stop; a failure of anything within ends it with that failure."""

    def __init__(
        self,
        server: StreamServer,
        pages: OperationsPages,
        follower: OrderUpdateFollower,
        market: MarketHub,
        market_data: MarketDataSubscriber,
    ) -> None:
        self._server = server
        self._pages = pages
        self._follower = follower
        self._market = market
        self._market_data = market_data

    async def run(self, host: str, port: int, stop: asyncio.Event) -> None:
        """Serve on the address until `stop` is set; then let the clients go, within the drain time-out."""
        work = [
            asyncio.create_task(self._follower.run(), name="order updates"),
            asyncio.create_task(self._market.follow(self._market_data), name="market data"),
            asyncio.create_task(self._pages.keep_fresh(), name="operations pages"),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await self._server.start(host, port)
            done, _ = await asyncio.wait((*work, stopping), return_when=asyncio.FIRST_COMPLETED)
            await self._server.stop()
            for task in done:
                task.result()
        finally:
            for task in (*work, stopping):
                task.cancel()
            await asyncio.gather(*work, stopping, return_exceptions=True)
