"""What every process offers to its operators: logs, probes, metrics, a clean start and a clean stop."""
