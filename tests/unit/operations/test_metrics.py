"""The metrics' names are what dashboards and `tradewind top` read."""

import importlib.util

from tradewind.operations import metrics


def test_the_names_that_others_read() -> None:
    metrics.COMMANDS.labels(command="SubmitOrder", outcome="accepted").inc()
    text = metrics.render_metrics().decode()
    for name in (
        'tradewind_commands_total{command="SubmitOrder",outcome="accepted"}',
        "tradewind_batch_seconds_bucket",
        "tradewind_shards_owned",
        "tradewind_websocket_clients",
        "# TYPE tradewind_feed_events_total counter",
        "# TYPE tradewind_http_requests_total counter",
    ):
        assert name in text


def test_importing_the_module_a_second_time_works() -> None:
    spec = importlib.util.spec_from_file_location("metrics_again", metrics.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again.REGISTRY is not metrics.REGISTRY
