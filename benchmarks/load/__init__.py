"""`make load-test`: REST, streams and a mixed trading day against a running platform, with thresholds that can fail."""
